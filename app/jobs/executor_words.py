"""Weighs Slurm's word against the exit record: what an attempt is when the two do not tell the same.

A record may come late (a shared filesystem lags), and Slurm's word may (it is asked by rounds).
Nothing is called lost before both had their time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.jobs.executor import Ended, Lost, Running, Status
from app.jobs.executor_rounds import Snapshot
from app.jobs.rundir import AttemptDir, ExitRecord
from app.slurm.naming import read_marker, read_name
from app.slurm.states import End, Seen, end_of

KILLED_RECORD_SECONDS = 6.0
"""How long a record may come where Slurm ended the job: its runner was killed and will write none."""
WORD_SECONDS = 20.0
"""How long Slurm's word is waited for when a record tells of a death that Slurm may have brought."""
FOLDER_SECONDS = 120.0
_TAIL = 600


@dataclass(frozen=True)
class Known:
    """What launch.json says about an attempt. ``number`` is Slurm's, None until it is known."""

    name: str
    marker: str
    number: int | None
    asked: float


class Words:
    """Remembers since when something is odd, for each attempt.

    ``lag``: how many seconds an exit record may come after Slurm says that the job is over.
    """

    def __init__(self, lag: float, clock: Callable[[], float] = time.time) -> None:
        self.lag, self._clock = lag, clock
        self._since: dict[tuple[Path, str], float] = {}
        self._refused: dict[Path, str] = {}

    def forget(self, attempt: AttemptDir) -> None:
        """All is as it should be."""
        for key in [key for key in self._since if key[0] == attempt.root]:
            self._since.pop(key, None)
        self._refused.pop(attempt.root, None)

    def refuse(self, attempt: AttemptDir, sentence: str) -> None:
        """A later submission was refused."""
        self._refused[attempt.root] = sentence

    def refusal(self, attempt: AttemptDir) -> Lost | None:
        """What that makes of the attempt."""
        why = self._refused.get(attempt.root)
        return None if why is None else Lost(why, then="failed", counts=False)

    def _lasts(self, attempt: AttemptDir, what: str) -> float:
        """For how long this has been so."""
        now = self._clock()
        return now - self._since.setdefault((attempt.root, what), now)

    def without_folder(self, attempt: AttemptDir, snapshot: Snapshot) -> Status:
        """No launch record: never handed over, unless the run directory itself cannot be seen."""
        back = attempt.root.is_dir()
        if back and not attempt.launch.exists():
            return Lost("it was not handed to Slurm", counts=False)
        ours = int(attempt.root.parent.parent.name), int(attempt.root.name)
        alive = any(
            ours in (read_name(one.name), read_marker(one.comment)) and one.stage != "over"
            for several in snapshot.jobs.values()
            for one in several
        )
        # Where it came back between two looks the next one tells; nothing is begun again for that.
        if back or alive or snapshot.down or self._lasts(attempt, "folder") < FOLDER_SECONDS:
            return Running(
                False,
                waiting="its run directory cannot be seen: is the shared filesystem mounted here?",
            )
        return Lost(f"its run directory {attempt.root} is gone and Slurm has no job of it")

    def with_record(
        self, attempt: AttemptDir, record: ExitRecord, seen: Seen | None, snapshot: Snapshot
    ) -> Status:
        """The runner told how it ended. A death may have been Slurm's doing: its word is heard."""
        if record.stopped or record.code == 0 or record.error or seen is None:
            return Ended(record)
        if seen.stage == "over":
            end = end_of(seen, _output(attempt))
            return Ended(record) if end is None or attempt.stop.exists() else lost(end)
        killed = record.signal is not None and bool(snapshot.down)
        if killed or self._lasts(attempt, "word") < WORD_SECONDS:
            return Running(trainer_started=True, place=seen.nodes)
        return Ended(record)

    def without_record(self, attempt: AttemptDir, seen: Seen, *, introduced: bool) -> Status:
        """Slurm says that it is over, and no exit record is there (yet)."""
        end = end_of(seen, _output(attempt))
        if not attempt.root.is_dir():
            return self._gone(attempt, introduced=introduced)
        self._since.pop((attempt.root, "folder"), None)
        unlaunched = not introduced and _was_not_launched(attempt, seen, end)
        patience = self.lag if end is None or unlaunched else KILLED_RECORD_SECONDS
        if self._lasts(attempt, "record") < patience:
            return Running(introduced, waiting="Slurm says that it is over; its record is awaited")
        if unlaunched:
            return Lost(
                f"Slurm ended it on {seen.nodes} before it began: the node could not launch it, or "
                "somebody cancelled it in that moment"
            )
        if end is not None:
            return lost(end)
        if introduced:
            return Lost(f"Slurm says {seen.state}, but its runner left no exit record")
        return _never_began(attempt, seen)

    def _gone(self, attempt: AttemptDir, *, introduced: bool) -> Status:
        """It is over, and how is written where nobody can look. An unmounted filesystem comes back."""
        self._since[attempt.root, "record"] = self._clock()
        if not _is_mounted(attempt) or self._lasts(attempt, "folder") < FOLDER_SECONDS:
            return Running(
                introduced,
                waiting="Slurm says that it is over; its run directory cannot be seen: is the shared "
                "filesystem mounted here?",
            )
        return Lost(
            f"Slurm says that it is over, and its run directory {attempt.root} is gone", "failed",
            "Put the directory back where it was deleted or moved, else press Retry.", "slurm-folder",
        )  # fmt: skip

    def missing(
        self, attempt: AttemptDir, known: Known, snapshot: Snapshot, *, started: bool
    ) -> Status:
        """Slurm does not know the job: it ended long ago, or the controller lost it."""
        if snapshot.asked <= known.asked or snapshot.down:
            return Running(started)
        if self._lasts(attempt, "missing") < self.lag:
            return Running(started, waiting="Slurm no longer knows the job; its record is awaited")
        return Lost(f"Slurm no longer knows job {known.number}, and it left no exit record")


def _output(attempt: AttemptDir) -> str:
    """The end of what the batch script printed, slurmstepd's own words among it."""
    try:
        return (attempt.root / "slurm.txt").read_bytes()[-_TAIL:].decode("utf-8", "replace")
    except OSError:
        return ""


def lost(end: End) -> Lost:
    """What Slurm did, for the supervisor."""
    return Lost(end.sentence, end.then, end.suggestion, end.cause)


def _is_mounted(attempt: AttemptDir) -> bool:
    """Whether anything is where the run directories of all jobs are; a bare mount point holds nothing."""
    try:
        with os.scandir(attempt.root.parents[2]) as jobs:
            return next(jobs, None) is not None
    except OSError:
        return False


def _was_not_launched(attempt: AttemptDir, seen: Seen, end: End | None) -> bool:
    """What a node cannot launch (a failed prolog, a number that a killed controller gave twice),
    Slurm cancels, for we forbid it to queue it again: then not even the script's output is there.
    """
    if end is None or end.then != "cancelled" or not seen.nodes or attempt.stop.exists():
        return False
    try:
        return "slurm.txt" not in os.listdir(attempt.root)  # asks NFS anew, as exists() does not
    except OSError:
        return False


def _never_began(attempt: AttemptDir, seen: Seen) -> Lost:
    """Not even our runner came to life there."""
    told = _output(attempt).strip()
    where = f" on {seen.nodes}" if seen.nodes else ""
    if not told:
        return Lost(
            f"it could not begin{where}: Slurm says {seen.state} and could write nothing into the run "
            "directory", "failed",
            "Check that the node has the shared filesystem under the same path (SLURM_PATH_MAP) and may "
            "write there.", "slurm-folder",
        )  # fmt: skip
    return Lost(
        f"it could not begin{where}: {' '.join(told.split())}", "failed",
        "Check the shared filesystem, SLURM_PATH_MAP and SLURM_PYTHON.", "slurm-begin",
    )  # fmt: skip
