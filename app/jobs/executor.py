"""What an executor is: it starts, watches and stops attempts; the supervisor's only way to processes.

One for this machine (``executor_local``), one for a cluster (``executor_slurm``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.jobs.rundir import (
    AttemptDir,
    ExitRecord,
    Launch,
    TornFileError,
    read_json,
    write_json_atomic,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Running:
    """The runner lives, or is still to come. ``trainer_started`` is False until the trainer has
    been executed. ``waiting`` says what it waits for elsewhere, ``place`` where it runs. ``queued``:
    in a queue that tells by ``ClusterExecutor.changes`` when there is news.
    """

    trainer_started: bool
    waiting: str = ""
    place: str = ""
    queued: bool = False


@dataclass(frozen=True)
class Ended:
    """The runner has seen the end."""

    record: ExitRecord


@dataclass(frozen=True)
class Lost:
    """No runner and no exit record: interrupted. Processes may be left: ``end_leftovers``.

    Whoever runs attempts elsewhere knows more: why, and whether to queue it again by itself.
    """

    why: str = ""
    then: Literal["again", "failed", "cancelled"] = "again"
    suggestion: str = ""
    cause: str = ""
    counts: bool = True
    """Against MAX_INTERRUPTIONS, unless it made progress."""


Status = Running | Ended | Lost


class ExecutorError(Exception):
    """An attempt could not be started; the message is fit to be shown as the reason."""


class AttemptTakenError(ExecutorError):
    """The folder has been run already. A new run is a new attempt."""

    def __init__(self, attempt: AttemptDir) -> None:
        super().__init__(f"{attempt.root} has been run already; start a new attempt.")
        self.attempt = attempt


class RunnerStartError(ExecutorError):
    """The runner itself could not be started, so there will be no exit record."""

    def __init__(self, attempt: AttemptDir, error: OSError) -> None:
        what = error.filename or "the runner"
        super().__init__(
            f"The runner could not be started for {attempt.root}: {what}: {error.strerror}. "
            "Check the disk and the Python that runs the dashboard, then retry."
        )
        self.attempt, self.error = attempt, error


class Executor(Protocol):
    """Where attempts run. Every method but ``start``, which may ask a cluster, returns at once; all
    may be called from any thread.
    """

    def start(self, attempt: AttemptDir, launch: Launch, environment: Mapping[str, str]) -> None:
        """Start it; the folder is made if need be. Raises ExecutorError, and then nothing runs."""

    def poll(self, attempt: AttemptDir) -> Status:
        """How it stands. Lost, too, for a folder in which nothing was ever started."""

    def stop(
        self, attempt: AttemptDir, wish: str, steps: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Ask it to stop, by the launch's own steps or by ``steps``. Asking twice is harmless."""

    def end_leftovers(self, attempt: AttemptDir) -> int:
        """End what a lost attempt left running, in at most 5 s. How many processes were ended."""


class ClusterExecutor(Executor, Protocol):
    """Runs them on other machines, where somebody else decides when."""

    def there(self, text: str) -> str:
        """A text with our paths in it as they are where attempts run."""

    def notice(self) -> str:
        """What people have to know about the place where attempts run; empty when all is well."""

    def changes(self) -> int:
        """A number that grows when attempts may stand otherwise; what waits need not be polled before."""


def write_wish(
    attempt: AttemptDir, wish: str, steps: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Leave the wish for the runner, which reads it when it is signalled or starts."""
    wanted = {"wish": wish, "steps": None if steps is None else [dict(step) for step in steps]}
    try:
        there = read_json(attempt.stop) or {}
    except TornFileError as error:
        log.warning("%s: written anew", error)
        there = {}
    if {name: there.get(name, "") for name in wanted} != wanted:
        write_json_atomic(attempt.stop, {**wanted, "requested": time.time()})
