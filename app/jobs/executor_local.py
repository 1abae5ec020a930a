"""Runs attempts on this machine, each under a runner in a session of its own.

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
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.jobs import processes
from app.jobs.executor import (
    AttemptTakenError,
    Ended,
    Lost,
    RunnerStartError,
    Running,
    Status,
    write_wish,
)
from app.jobs.processes import Process
from app.jobs.rundir import AttemptDir, Launch, TornFileError, read_json, write_json_atomic

log = logging.getLogger(__name__)

LEFTOVER_SECONDS = 5.0
_LOCK_SECONDS = 1.0  # another program may look at the lock, which holds it for an instant


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
        if record is None and not attempt.root.is_dir():
            return _without_folder(attempt)
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
            look = self._left_of(attempt)
        except TornFileError as error:
            log.warning("%s", error)
            return 0
        ended: set[Process] = set()
        over = time.monotonic() + LEFTOVER_SECONDS
        while left := look():
            ended.update(left)
            remaining = over - time.monotonic()
            if remaining <= 0:
                log.warning("%s: %s hang in the kernel and could not be ended", attempt.root, left)
                return len(ended) - len(left)
            processes.end(left, [(signal.SIGKILL, remaining)])
        return len(ended)

    def _left_of(self, attempt: AttemptDir) -> Callable[[], Sequence[Process]]:
        """A look at what a lost attempt left. Raises TornFileError."""
        launch = attempt.read_launch()
        if launch is not None:
            return tuple if _is_locked(attempt) else partial(_leftovers, launch)
        if attempt.root.is_dir():
            return tuple  # nothing was ever started in it
        # The folder that would tell is gone: the runner is known by its command, the rest by it.
        runners = processes.with_arguments({str(self.runner), str(attempt.root)})
        below = [child.pid for one in runners for child in processes.descendants(one.pid)]
        return partial(
            _strays, runners, {mark for pid in below if (mark := processes.marker_of(pid))}
        )


def _without_folder(attempt: AttemptDir) -> Status:
    """Somebody took the run directory away, perhaps from under a trainer; or the disk is away."""
    if not attempt.root.parents[2].is_dir():
        where = f"{attempt.root.parents[2]} is not there: mount its disk, or make the folder again"
        return Running(trainer_started=True, waiting=where)
    return Lost(
        f"its run directory {attempt.root} is gone",
        then="failed",
        suggestion="Put it back where it was deleted or moved, then retry. Else a retry begins at step 0.",
    )


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


def _strays(runners: Sequence[Process], markers: Collection[str]) -> list[Process]:
    """What lives of these runners: they, all below them, all marked."""
    found = {one for one in runners if processes.is_alive(one.pid, one.start_time)}
    found |= {child for runner in found for child in processes.descendants(runner.pid)}
    found |= {process for marker in markers for process in processes.marked(marker)}
    return sorted(found, key=lambda one: one.start_time)


def _leftovers(launch: Launch) -> list[Process]:
    """What lives of an attempt whose runner is gone: the trainer, all below it, all marked."""
    found = set(processes.marked(launch.marker))
    trainer = launch.trainer
    here = trainer is not None and launch.boot_id == processes.boot_id()
    if trainer and here and processes.is_alive(trainer.pid, trainer.start_time):
        found.update([trainer, *processes.descendants(trainer.pid)])
    return sorted(found, key=lambda one: one.start_time)
