"""Starts, watches and stops attempts through the runner; the supervisor's only way to processes.

Nothing here waits for a trainer. An attempt lives in its folder, so that a new executor, in a
new program, can go on where another one was killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from app.jobs import processes
from app.jobs.processes import Process
from app.jobs.rundir import (
    AttemptDir,
    ExitRecord,
    Launch,
    TornFileError,
    read_json,
    write_json_atomic,
)

log = logging.getLogger(__name__)

LEFTOVER_SECONDS = 5.0
_LOCK_SECONDS = 1.0  # another program may look at the lock, which holds it for an instant


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


class LocalExecutor:
    """Runs attempts on this machine, each under a runner in a session of its own."""

    def __init__(self, python: str, runner: Path) -> None:
        self.python, self.runner = python, runner
        self._started: set[AttemptDir] = set()
        """Attempts whose trainer was seen to be started: that stands in launch.json for good."""

    def start(self, attempt: AttemptDir, launch: Launch, environment: Mapping[str, str]) -> None:
        """See ``Executor``. The lock is taken here and handed down, so that the attempt counts
        as running from this moment on, even if this program is killed in the next one.
        """
        _collect()
        try:
            attempt.root.mkdir(parents=True, exist_ok=True)
            lock = _open_lock(attempt, os.O_CREAT)
        except OSError as error:
            raise RunnerStartError(attempt, error) from error
        try:
            if not _take(lock, fcntl.LOCK_EX, _LOCK_SECONDS) or _was_run(attempt):
                raise AttemptTakenError(attempt)
            write_json_atomic(attempt.launch, launch.before_start().to_json())
            self._spawn(attempt, lock, environment)
        except OSError as error:
            raise RunnerStartError(attempt, error) from error
        finally:
            os.close(lock)

    def _spawn(self, attempt: AttemptDir, lock: int, environment: Mapping[str, str]) -> None:
        command = [self.python, "-I", "-S", str(self.runner), str(attempt.root)]
        with attempt.log.open("ab") as output:
            runner = subprocess.Popen(
                [*command, "--lock-fd", str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd="/",
                pass_fds=(lock,),
                start_new_session=True,
            )
        with _guard:
            _runners.append(runner)

    def poll(self, attempt: AttemptDir) -> Status:
        """See ``Executor``. Looks at the lock first: it is dropped after exit.json is whole."""
        _collect()
        try:
            if _is_locked(attempt):
                return Running(trainer_started=self._has_started(attempt))
            self._started.discard(attempt)
            record = attempt.read_exit()
        except TornFileError as error:
            log.warning("%s", error)
            return Lost()
        return Ended(record) if record else Lost()

    def _has_started(self, attempt: AttemptDir) -> bool:
        if attempt not in self._started:
            launch = read_json(attempt.launch)
            if not (launch and launch.get("trainer")):
                return False
            self._started.add(attempt)
        return True

    def stop(
        self, attempt: AttemptDir, wish: str, steps: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """See ``Executor``. A runner that has not yet said who it is looks for the wish itself."""
        write_wish(attempt, wish, steps)
        launch = attempt.read_launch()
        if launch and launch.runner and launch.boot_id == processes.boot_id():
            processes.send(launch.runner, signal.SIGUSR1)

    def end_leftovers(self, attempt: AttemptDir) -> int:
        """See ``Executor``. SIGKILL at once: neither engine saves anything on a signal."""
        try:
            launch = attempt.read_launch()
        except TornFileError as error:
            log.warning("%s", error)
            return 0
        if launch is None or _is_locked(attempt):
            return 0
        ended: set[Process] = set()
        over = time.monotonic() + LEFTOVER_SECONDS
        while left := _leftovers(launch):
            ended.update(left)
            remaining = over - time.monotonic()
            if remaining <= 0:
                log.warning("%s: %s hang in the kernel and could not be ended", attempt.root, left)
                return len(ended) - len(left)
            processes.end(left, [(signal.SIGKILL, remaining)])
        return len(ended)


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


_runners: list[subprocess.Popen[bytes]] = []
_guard = threading.Lock()


def _collect() -> None:
    """Take note of our runners that ended, so that none stays a zombie."""
    with _guard:
        _runners[:] = [runner for runner in _runners if runner.poll() is None]


def _open_lock(attempt: AttemptDir, more: int = 0) -> int:
    return os.open(attempt.lock, os.O_RDWR | os.O_CLOEXEC | more, 0o600)


def _take(lock: int, how: int, seconds: float) -> bool:
    """Take the lock within ``seconds``; False if someone else keeps it."""
    over = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= over:
                return False
        time.sleep(0.01)


def _is_locked(attempt: AttemptDir) -> bool:
    """Whether a runner lives. Looks with a shared lock, so that lookers do not see each other."""
    try:
        lock = _open_lock(attempt)
    except FileNotFoundError:
        return False
    try:
        return not _take(lock, fcntl.LOCK_SH, 0)
    finally:
        os.close(lock)


def _was_run(attempt: AttemptDir) -> bool:
    """Whether a runner has ever worked here. Only its own words count, not ours."""
    if attempt.exit.exists():
        return True
    try:
        launch = read_json(attempt.launch)
    except TornFileError:  # not by us: we write it whole
        return True
    return bool(launch and launch.get("runner"))


def _leftovers(launch: Launch) -> list[Process]:
    """What lives of an attempt whose runner is gone: the trainer, all below it, all marked."""
    found = set(processes.marked(launch.marker))
    trainer = launch.trainer
    here = trainer is not None and launch.boot_id == processes.boot_id()
    if trainer and here and processes.is_alive(trainer.pid, trainer.start_time):
        found.update([trainer, *processes.descendants(trainer.pid)])
    return sorted(found, key=lambda one: one.start_time)
