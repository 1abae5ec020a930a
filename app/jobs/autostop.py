"""Gives the machine back: gathers what is so, asks ``app.vast.policy``, and does what it says.

Part of the supervisor's tick. The sentinel is a file in DATA_DIR, written before Vast is asked,
so that a machine that is started again knows that it had stopped itself.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import false, func, or_, select

from app import preferences, tasks
from app.datasets import removing
from app.db import db
from app.jobs import installing, meter, service, store
from app.jobs.rundir import TornFileError, read_json, write_json_atomic
from app.jobs.states import ACTIVE, IllegalMoveError, JobState
from app.models import Job, Task
from app.vast import MeterPreferences, Undelivered, session
from app.vast.policy import ALL_COPIED, Action, Facts, State, decide
from engines.adapter import ENGINES

if TYPE_CHECKING:
    from app.platform import Platform
    from app.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
_COPIES_SECONDS = 60.0
"""So often it is asked what was not copied: 1.5 ms for each job that is over. Before an act it is asked anew."""
SENTINEL = "auto-stop.json"


class Autostop:
    """``state`` is what pages show."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.state = State()
        self.clock: Callable[[], float] = time.monotonic
        self._wish: Literal["", "keep", "now"] = ""
        self._touched = False
        self._looked: float | None = None
        self._copies: Undelivered = ALL_COPIED
        self._copies_asked: float | None = None
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Somebody wants the machine to go on."""
        self._wish = "keep"

    def stop_now(self) -> None:
        """Somebody wants it stopped now."""
        self._wish = "now"

    def touch(self) -> None:
        """Somebody changed something: they are at work here."""
        self._touched = True

    def tick(self) -> None:
        """One look, every few seconds, or at once after a wish. Needs an application context."""
        now = self.clock()
        soon = self._wish or self._platform.vast.ordering or self.state.phase == "stopping"
        if not soon and self._looked is not None and 0 <= now - self._looked < LOOK_SECONDS:
            return
        self._platform.vast.tick()
        self.look()

    def look(self) -> None:
        """Decide now, and act on it."""
        with self._lock:
            self._looked = self.clock()
            wish, self._wish = self._wish, ""
            touched, self._touched = self._touched, False
            rules = preferences.load(MeterPreferences)
            before = self.state
            facts = self._facts(wish, touched, rules)
            decided = decide(before, self._looked, facts, rules)
            if decided[1] and self._copies_asked != self._looked:
                facts = replace(facts, undelivered=self._undelivered(self._looked))
                decided = decide(before, self._looked, facts, rules)
            self.state, actions = decided
            if self.state.phase != before.phase:
                log.info(
                    "auto-stop: %s -> %s %s", before.phase, self.state.phase, self.state.reason
                )
            for action in actions:
                self._act(action)

    def _facts(
        self, wish: Literal["", "keep", "now"], touched: bool, rules: MeterPreferences
    ) -> Facts:
        vast = self._platform.vast
        if vast.client is None or not (rules.watches or wish or self.state.phase != "off"):
            return Facts(able=vast.client is not None, wish=wish, sentinel=self._sentinel())
        # A look comes every few seconds for as long as the machine lives: each thing is read once.
        counts, work = store.counts(), tasks.active()
        spent = meter.spent(self._platform, rules)
        now, asked = self._looked or 0.0, self._copies_asked
        kept = asked is not None and 0 <= now - asked < _COPIES_SECONDS
        waiting, parked = _queue(self._platform.settings, counts, work)
        return Facts(
            running=sum(counts.get(state.value, 0) for state in ACTIVE),
            waiting=waiting,
            parked=parked,
            tasks=sum(map(_is_work, work)),
            failed=_failed_since(spent.since) if counts.get(JobState.FAILED.value) else 0,
            undelivered=self._copies if kept else self._undelivered(now),
            touched=touched,
            hours=spent.seconds / 3600,
            cost=spent.cost,
            price=spent.price,
            sentinel=self._sentinel(),
            ordering=vast.ordering,
            answer=vast.answer(),
            wish=wish,
        )

    def _undelivered(self, now: float) -> Undelivered:
        self._copies, self._copies_asked = self._platform.undelivered(), now
        return self._copies

    def _act(self, action: Action) -> None:
        if action.do == "order":
            self._platform.vast.order(action.act)
        elif action.do == "save":
            self._save(action.text)
        elif action.do == "write":
            told = {"reason": action.text, "time": time.time(), "boot": session.boot()}
            try:
                write_json_atomic(self._file, told)
            except OSError as error:
                # A machine started again waits a grace anyway; only the longer one is lost.
                log.warning("%s cannot be written: %s", self._file, error)
        else:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _save(self, reason: str) -> None:
        """Running jobs are asked to save and stop; what waits stays in the queue."""
        for job in store.active():
            if job.status is JobState.STOPPING:
                continue
            with contextlib.suppress(IllegalMoveError):
                store.move(job, JobState.STOPPING, f"stopped: {reason}", wish="save-and-stop")

    @property
    def _file(self) -> Path:
        return self._platform.settings.data_dir / SENTINEL

    def last_stop(self) -> dict[str, object] | None:
        """What the sentinel says, if there is one."""
        with contextlib.suppress(OSError, TornFileError):
            return read_json(self._file)
        return None

    def _sentinel(self) -> Literal["", "ours", "earlier"]:
        told = self.last_stop()
        if told is None:
            return ""
        return "ours" if told.get("boot") == session.boot() else "earlier"


def _is_work(task: Task) -> bool:
    """Whether a machine is kept for it: not for a message that cannot be sent, nor for a deleted dataset
    that can be had back for half an hour."""
    kept = task.kind == removing.KIND and task.not_before > time.time()
    return task.lane != "message" and not kept


def _queue(settings: Settings, counts: Mapping[str, int], work: Sequence[Task]) -> tuple[int, int]:
    """Jobs that start by themselves, and jobs that wait for a person or for free disk."""
    queued = counts.get(JobState.QUEUED.value, 0)
    if not queued:
        return 0, 0
    if service.queue_paused() or store.fact("held"):
        return 0, queued
    # Nobody comes to install the engine: such a job waits for a person, too.
    installs = any(task.kind == installing.KIND for task in work)
    missing = [name for name in ENGINES if installing.is_awaited(settings, name)]
    stuck = false() if installs else Job.engine.in_(missing)
    held = db.session.scalar(
        select(func.count()).where(
            Job.state == JobState.QUEUED.value, or_(Job.held.is_(True), stuck)
        )
    )
    return queued - (held or 0), held or 0


def _failed_since(moment: float) -> int:
    wanted = select(func.count()).where(
        Job.state == JobState.FAILED.value, Job.finished.is_not(None), Job.finished > moment
    )
    return db.session.scalar(wanted) or 0
