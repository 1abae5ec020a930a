"""Runs attempts on a Slurm cluster: the same runner in the same run directory, on another machine.

The truth about an attempt is Slurm's word and the exit record together; no lock is believed, for a
lock of another machine says nothing here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.jobs.executor import Lost, Running, Status, write_wish
from app.jobs.executor_handing import Handing, SlurmRefusedError
from app.jobs.executor_rounds import Rounds, Snapshot
from app.jobs.executor_words import Known, Words
from app.jobs.rundir import AttemptDir, ExitRecord, Launch, TornFileError, read_json
from app.slurm.commands import ControllerDownError, Slurm, SlurmError
from app.slurm.settings import SlurmSettings
from app.slurm.states import Seen, running_words, waiting_words
from app.waking import ring

log = logging.getLogger(__name__)

UNCLEAR_SECONDS = 90.0
"""So long after a submission with unknown outcome the job may still turn up in Slurm."""
KILL_SECONDS = 30.0
"""After the last grace of a stop, until Slurm is told to end the job."""
NOTICE_SECONDS = 10.0


class SlurmExecutor:
    """Hands attempts to Slurm and tells how they stand. Every method but ``start`` returns at once."""

    def __init__(self, slurm: Slurm, settings: SlurmSettings, runner: Path, data_dir: Path) -> None:
        self._slurm, self._settings = slurm, settings
        self._handing = Handing(slurm, settings, runner, data_dir)
        self.rounds = Rounds(slurm, answered=self._sweep, changed=lambda: ring(data_dir))
        self.words = Words(settings.lag_seconds)
        self._known: dict[Path, Known] = {}

    def start(self, attempt: AttemptDir, launch: Launch, environment: Mapping[str, str]) -> None:
        """See ``Executor``. Where nobody answers, or the answer cannot be written down, it counts as
        started: the job that Slurm holds is found, or handed over, later.
        """
        self._handing.prepare(attempt, launch, environment)
        try:
            self._handing.submit(attempt)
        except (ControllerDownError, OSError) as error:
            log.warning("job %s, attempt %s: %s", launch.job_id, launch.attempt, error)
        self.rounds.soon()

    def poll(self, attempt: AttemptDir) -> Status:
        """See ``Executor``. Files are hardly read where Slurm says that it still waits."""
        status = self._poll(attempt)
        if not isinstance(status, Running):
            self._known.pop(attempt.root, None)
            self._handing.forget(attempt)
            self.words.forget(attempt)
        return status

    def _poll(self, attempt: AttemptDir) -> Status:
        snapshot = self.rounds.look()
        if (refused := self.words.refusal(attempt)) is not None:
            return refused
        try:
            known = self._read_known(attempt)
        except (TornFileError, OSError) as error:
            log.warning("%s", error)
            return Running(False, waiting="its run directory cannot be read at the moment")
        if known is None:
            return self.words.without_folder(attempt, snapshot)
        if known.number is None:
            return self._unnumbered(attempt, known, snapshot)
        ours = snapshot.named(known.name, known.marker)  # a site may give jobs names of its own
        seen = next((one for one in ours if one.id == known.number), None)
        if seen is not None and seen.stage == "waiting" and not attempt.exit.exists():
            self._tend(attempt, seen)
            return Running(False, waiting=waiting_words(seen), queued=True)
        record, data = _exit_of(attempt), _launch_data(attempt)
        if record is not None:
            if (
                seen is not None and seen.stage == "waiting"
            ):  # a killed controller forgot that it ran
                self.rounds.after(f"cancel {seen.id}", lambda: self._tell("scancel", str(seen.id)))
            return self.words.with_record(attempt, record, seen, snapshot)
        started, introduced = bool(data.get("trainer")), bool(data.get("runner"))
        if seen is None:
            return self.words.missing(attempt, known, snapshot, started=started)
        if seen.stage == "over":
            return self.words.without_record(attempt, seen, introduced=introduced)
        self.words.forget(attempt)
        self._enforce_stop(attempt, known.number)
        return Running(started, waiting=running_words(seen), place=seen.nodes)

    def _read_known(self, attempt: AttemptDir) -> Known | None:
        known = self._known.get(attempt.root)
        if known is None:
            launch = attempt.read_launch()
            if launch is None or launch.slurm is None:
                return None
            slurm = launch.slurm
            number, asked = slurm.get("job_id"), float(slurm["asked"])
            known = Known(str(slurm["name"]), launch.marker, number, asked)
            if number is not None:
                self._known[attempt.root] = known
        return known

    def _unnumbered(self, attempt: AttemptDir, known: Known, snapshot: Snapshot) -> Status:
        """Handed over, or not: nobody knows until Slurm answers. Only then is it done (again)."""
        found = snapshot.named(known.name, known.marker)
        if found:
            number = found[0].id
            self.rounds.after(f"take {number}", lambda: self._handing.take(attempt, number))
            return Running(False, waiting="Slurm has it; its number is being written down")
        if snapshot.down or not snapshot.asked:
            return Running(False, waiting="waiting for Slurm's controller to answer")
        if self._handing.may_submit(attempt) and not attempt.stop.exists():
            self.rounds.after(f"submit {attempt.root}", lambda: self._submit_again(attempt))
            return Running(False, waiting="being handed to Slurm")
        tried = self._handing.tried(attempt)
        tried = known.asked if tried is None else tried
        if tried and snapshot.asked < tried + UNCLEAR_SECONDS:
            return Running(False, waiting="asking Slurm whether it took the job")
        self._handing.give_up(attempt)
        return Lost("it never reached Slurm", counts=False)

    def _submit_again(self, attempt: AttemptDir) -> None:
        try:
            self._handing.submit_again(attempt)
        except SlurmRefusedError as error:
            self.words.refuse(attempt, str(error))

    def _tend(self, attempt: AttemptDir, seen: Seen) -> None:
        """A waiting job: cancelled if it shall not start, released if it is still held by us."""
        number = seen.id
        if attempt.stop.exists():
            self.rounds.after(
                f"cancel {number}", lambda: self._tell("scancel", "--state=PENDING", str(number))
            )
        elif seen.held_by_user and self._handing.may_release(attempt, self.rounds.back_at):
            self.rounds.after(f"release {number}", lambda: self._handing.release(attempt, number))

    def _sweep(self, snapshot: Snapshot) -> None:
        """Held jobs of ours that turned up after all and that nothing waits for."""
        held = {one for several in snapshot.jobs.values() for one in several if one.held_by_user}
        for one in held:
            if self._handing.is_orphan(one.comment, one.id):
                log.warning("Slurm's job %s is held and nothing waits for it: cancelled", one.id)
                self._tell("scancel", str(one.id))

    def stop(
        self, attempt: AttemptDir, wish: str, steps: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """See ``Executor``. The runner also finds the wish by itself, should nobody answer here."""
        step = self._handing.step
        write_wish(attempt, wish, None if steps is None else [step(one) for one in steps])
        with contextlib.suppress(TornFileError, OSError):
            known = self._read_known(attempt)
            if known is not None and known.number is not None:
                number = str(known.number)
                self.rounds.after(f"stop {number}", self._signal(number))

    def _signal(self, number: str) -> Callable[[], None]:
        def tell() -> None:
            self._tell("scancel", "--state=PENDING", number)
            self._tell("scancel", "--batch", "--signal=USR1", number)

        return tell

    def _tell(self, *command: str) -> None:
        """Say it; that the job has ended meanwhile is no news."""
        with contextlib.suppress(SlurmError):
            self._slurm.run(*command)

    def _enforce_stop(self, attempt: AttemptDir, number: int) -> None:
        """The runner should have ended it long ago: Slurm does it, and its node ends everything."""
        try:
            wish = read_json(attempt.stop)
        except (TornFileError, OSError):
            return
        if wish is None:
            return
        steps = wish.get("steps")
        if steps is None:
            steps = _launch_data(attempt).get("stop", [])
        grace = sum(float(step.get("grace", 0)) for step in steps)
        if time.time() > float(wish.get("requested", 0)) + grace + KILL_SECONDS:
            self.rounds.after(f"kill {number}", lambda: self._tell("scancel", str(number)))

    def end_leftovers(self, attempt: AttemptDir) -> int:
        """See ``Executor``. Slurm ends what it started; a runner on a node that was cut off, and
        comes back, finds the wish and ends everything by itself.
        """
        with contextlib.suppress(OSError):
            if attempt.root.exists() and not attempt.exit.exists():
                write_wish(attempt, "lost", [])
        return 0

    def there(self, text: str) -> str:
        """See ``ClusterExecutor``."""
        return self._settings.path_map.there(text)

    def changes(self) -> int:
        """See ``ClusterExecutor``."""
        self.rounds.look()
        return self.rounds.changes

    def notice(self) -> str:
        """See ``ClusterExecutor``."""
        snapshot = self.rounds.snapshot
        if snapshot.down:
            self.rounds.look()  # nobody else may ask while nothing is handed over
        if not snapshot.down or time.time() - snapshot.down_since < NOTICE_SECONDS:
            return ""
        since = time.strftime("%H:%M UTC", time.gmtime(snapshot.down_since))
        return (
            f"Slurm's controller has not answered since {since} ({snapshot.down.rstrip('.')}). Jobs that "
            "run go on; nothing is failed or started again until it answers."
        )


def _exit_of(attempt: AttemptDir) -> ExitRecord | None:
    """The exit record; None where there is none yet, or none that can be read yet."""
    try:
        os.listdir(attempt.root)  # has NFS ask again, where it remembers that there is no such file
        return attempt.read_exit()
    except (TornFileError, OSError) as error:
        log.info("%s", error)
        return None


def _launch_data(attempt: AttemptDir) -> dict[str, Any]:
    try:
        return read_json(attempt.launch) or {}
    except (TornFileError, OSError):
        return {}
