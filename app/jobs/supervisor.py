"""Makes wishes true: the one place that starts and stops runs and settles how they ended.

A thread in the web program. A lock file keeps a second copy idle. A failing tick is logged
and the next one starts afresh; one poisoned job cannot stop the queue. It never waits for a
trainer, a dataset or the network: that work runs in threads, one per job at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from app import schema
from app.db import db
from app.jobs import (
    elsewhere,
    ending,
    guards,
    installing,
    launching,
    model_use,
    orders,
    progress,
    service,
    slots,
    store,
    telemetry,
)
from app.jobs.autostop import Autostop
from app.jobs.beside import Beside
from app.jobs.calm import Calm
from app.jobs.executor import Ended, Lost, Running
from app.jobs.following import Following
from app.jobs.rundir import AttemptDir, read_json
from app.jobs.states import IllegalMoveError, JobState
from app.models import Attempt, Job
from app.waking import Bell, ring
from engines.adapter import ENGINES

if TYPE_CHECKING:
    from app.platform import Platform, Watcher

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
HURRY_SECONDS, HURRY_FOR = 0.2, 5.0
"""How often, and for how long, a run is looked at that was just started or told to stop."""


class Supervisor:
    """Ticks once a second, and at once when somebody rings."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._bell = Bell(platform.settings.data_dir)
        self._calm = Calm(schema.file_of(platform.settings))
        self._quit = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: IO[str] | None = None
        self._beside = Beside(done=lambda: ring(platform.settings.data_dir))
        self._handing: set[int] = set()
        """Those of its jobs that are being made ready for Slurm, and some that were."""
        self._asleep = elsewhere.Asleep()
        self._waiting = elsewhere.Waiting()
        self._following: dict[int, Following] = {}
        self._hurry = 0.0
        self.autostop = Autostop(platform)
        self.last_tick: float | None = None
        """When the last tick ended, by the monotonic clock; None before the first."""

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def quit(self) -> None:
        """Stop supervising. Running jobs go on; the next supervisor adopts them."""
        self._quit.set()
        ring(self._platform.settings.data_dir)
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._bell.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def tasks(self) -> tuple[threading.Thread, ...]:
        """What is being done beside the ticks: preparing, settling."""
        return self._beside.threads

    @property
    def is_first(self) -> bool:
        """Whether this copy holds the lock and so does the work."""
        return self._lock is not None

    def _run(self) -> None:
        rung = True
        while not self._quit.is_set():
            try:
                if self._take_lock():
                    self._round(rung=rung)
                self.last_tick = time.monotonic()
            except Exception:
                log.exception("a tick failed; the next one starts afresh")
            rung = self._bell.wait(self.pause)

    @property
    def pause(self) -> float:
        """Seconds until the next round, if nobody rings."""
        return HURRY_SECONDS if time.monotonic() < self._hurry else TICK_SECONDS

    def _round(self, *, rung: bool) -> None:
        """What this second needs: everything, a look at the runs alone, or nothing."""
        busy = bool(self._beside.jobs or self._platform.tasks.busy)
        due = self._calm.is_due(rung=rung, busy=busy)
        if due or self._following:
            with self._platform.app.app_context():
                (self.tick if due else self.follow)()

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        handle = (self._platform.settings.data_dir / "supervisor.lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        self._lock = handle
        return True

    def tick(self) -> None:
        """One round over everything. Needs an application context."""
        self.follow()
        self._launch_queued()
        self._platform.tasks.tick()
        self.autostop.tick()
        for watcher in self._platform.watchers:
            self._look(watcher)

    def follow(self) -> None:
        """The part of a round that is about what runs."""
        # Looked at before the rows are read: what a thread is about to change, we know only of old.
        busy = self._beside.jobs
        for job, attempt in progress.followed(self._asleep.now(self._platform)):
            if job.id not in busy:
                self._safely(job, lambda job, attempt=attempt: self._advance(job, attempt))  # type: ignore[misc]
        self._waiting.write()
        elsewhere.tell_notice(self._platform)

    def _look(self, watcher: Watcher) -> None:
        try:
            watcher.tick()
        except Exception:
            log.exception("%s failed; it looks again at the next tick", type(watcher).__module__)
            db.session.rollback()

    def _safely(self, job: Job, act: Callable[[Job], None]) -> None:
        job_id = job.id
        try:
            act(job)
        except IllegalMoveError as error:
            log.info("%s (somebody else was first)", error)
        except Exception:
            log.exception("job %s: this tick failed; the next one tries again", job_id)
            db.session.rollback()

    def _advance(self, job: Job, attempt: Attempt | None) -> None:
        folder = service.run_dir(job).attempt(job.attempt)
        executor = self._platform.executor_for(attempt.executor if attempt else "local")
        status = executor.poll(folder)
        job_id = job.id
        if isinstance(status, Ended):
            record = status.record
            self._following.pop(job_id, None)
            self._beside.start(
                job_id, lambda: ending.settle(self._platform, job_id, folder, record)
            )
        elif isinstance(status, Lost):
            self._following.pop(job_id, None)
            lost = status
            self._beside.start(
                job_id, lambda: ending.interrupted(self._platform, job_id, folder, lost)
            )
        elif attempt is not None:
            self._watch(job, attempt, folder, status)

    def _watch(self, job: Job, attempt: Attempt, folder: AttemptDir, status: Running) -> None:
        """A live run: say RUNNING once the trainer is there, follow it, pass on a stop."""
        elsewhere.note(job, attempt, status, self._waiting)
        if job.status is JobState.STARTING and status.trainer_started:
            store.move(job, JobState.RUNNING)
        if job.status is JobState.STOPPING:
            self._stop(job, attempt, folder)
        self._asleep.note(job, status)
        if status.waiting:  # suspended, over, or out of sight: there is nothing new to be read
            return
        following = self._follow(job, attempt)
        following.read()
        with self._calm.own():
            following.write_progress(job, attempt)
        following.tell_removed(job)
        following.note_memory(telemetry.note_peak(self._platform, job, attempt))
        if job.status is JobState.STOPPING:
            return
        if job.wish:
            orders.give(job, folder)
        guards.watch(self._platform, job, following, folder)

    def _follow(self, job: Job, attempt: Attempt) -> Following:
        following = self._following.get(job.id)
        if following is None or following.number != attempt.number:
            engine = ENGINES[launching.engine_name(job)]
            following = Following(job, attempt, service.run_dir(job), engine)
            self._following[job.id] = following
        return following

    def _stop(self, job: Job, attempt: Attempt, folder: AttemptDir) -> None:
        """Tell the runner once per wish; it does the steps by itself."""
        told = read_json(folder.stop) or {}
        if told.get("wish") == job.wish:
            return
        actions = read_json(folder.root / launching.ACTIONS) or {}
        steps = actions.get("save_and_stop") if job.wish == "save-and-stop" else None
        executor = self._platform.executor_for(attempt.executor)
        executor.stop(folder, job.wish or "stop", steps or None)
        self._hurry = time.monotonic() + HURRY_FOR

    def _launch_queued(self) -> None:
        if service.queue_paused() or self.autostop.state.holds_queue:
            return
        now = time.time()
        waits = store.is_launchable(now)
        # A notice that is over is taken away, also where nothing waits any more.
        if ((waits or store.fact("held")) and guards.holds_queue(self._platform)) or not waits:
            return
        self._handing &= self._beside.jobs
        free = slots.Slots.now(self._platform, store.active(), being_handed=len(self._handing))
        if free.none:
            return
        coming = model_use.downloading()
        while (wishes := free.wishes) and self._launch_those(now, free, wishes, coming):
            pass  # a place is used up: those that want it need not be read any more

    def _launch_those(
        self, now: float, free: slots.Slots, wishes: list[str], coming: frozenset[str]
    ) -> bool:
        """Launch who finds a place; True as soon as fewer wishes can be met than before."""
        for job in store.launchable(now, wishes):
            if job.id not in self._beside.jobs:
                self._safely(job, lambda job: self._launch_if_it_can(job, free, coming))
                if free.wishes != wishes:
                    return True
        return False

    def _launch_if_it_can(self, job: Job, free: slots.Slots, coming: frozenset[str]) -> None:
        if not self._has_to_wait(job, free, coming) and (gpus := free.take(job)) is not None:
            self._launch(job, gpus)

    def _has_to_wait(self, job: Job, free: slots.Slots, coming: frozenset[str]) -> bool:
        """Whether what a queued job needs is not here (yet), which its page then tells."""
        settings = self._platform.settings
        why = installing.why_waiting(settings, job) or model_use.why_waiting(settings, job, coming)
        why = why or free.lacking(job)
        if job.phase != why:
            store.change(job, phase=why)
        return bool(why)

    def _launch(self, job: Job, gpus: tuple[int, ...]) -> None:
        number, text, now = job.attempt + 1, ",".join(map(str, gpus)), time.time()
        # The folder before the row: whenever this program is killed, every attempt told is there.
        # A disk that is full is told by the launch itself.
        with contextlib.suppress(OSError):
            service.run_dir(job).attempt(number).root.mkdir(parents=True, exist_ok=True)
        store.move(
            job, JobState.STARTING, attempt=number, gpus=text, started=job.started or now,
            phase="starting", finish_at=None, last_output=now,
        )  # fmt: skip
        executor = elsewhere.runs_at(job.executor, self._platform.settings)
        store.open_attempt(job, number=number, gpus=text, executor=executor)
        job_id = job.id
        if executor == "slurm":
            self._handing.add(job_id)
        self._beside.start(job_id, lambda: launching.launch(self._platform, job_id, number))
        self._hurry = time.monotonic() + HURRY_FOR
