"""Starts uploads by itself: after a job that is over, and for rows whose task was lost."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import select

from app import tasks
from app.db import db
from app.delivery import store as deliveries
from app.delivery.choosing import What
from app.delivery.targets import Target, targets
from app.errors import UserError
from app.jobs import report, store
from app.jobs.event_cursor import NOT_SENT, EventCursor
from app.jobs.rundir import REPORT
from app.jobs.states import FINAL
from app.models import Delivery, Job, JobEvent
from app.settings import HUB_OFFLINE

log = logging.getLogger(__name__)

_FINAL = {state.value for state in FINAL}
_LOOK_SECONDS, _SOON_SECONDS = 60.0, 2.0
_REPORT_SECONDS = 120.0
"""So long after a job's end its report is looked for often: it is written when the job is over."""
_ALONE: tuple[What, ...] = ("report",)
_DAY = 86_400.0
_MOST_JOBS = 50
_WRITTEN = "delivery.reports"
_OVERLAP = 10.0


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: set[tuple[int, str, str]] = set()
        """Jobs, targets and places whose report was refused there since the last thorough look."""
        # What happened before the first start with this is left to people.
        self._events = EventCursor("delivery.cursor")
        self._looked = self._thorough = self._ended = -math.inf

    def tick(self) -> None:
        """One look. Needs an application context."""
        self._events.look(self._over)
        now = self._clock()
        soon = now - self._ended < _REPORT_SECONDS
        if now - self._looked > (_SOON_SECONDS if soon else _LOOK_SECONDS):
            self._looked = now
            _adopt()
            self._send_reports(now)

    def _over(self, event: JobEvent) -> None:
        if event.new in _FINAL:
            self._ended = self._clock()
            _deliver(event.job)

    def _send_reports(self, now: float) -> None:
        wanting = [t for t in targets() if t.automatic != "never" and "report" in t.what]
        if not wanting:
            return
        if now - self._thorough <= _LOOK_SECONDS:
            self._send(_late(wanting, 2 * _REPORT_SECONDS))
            return
        self._thorough = now
        self._refused.clear()  # the files that were in the way may be gone
        self._send(_late(wanting, _DAY))
        since = float(store.fact(_WRITTEN) or 0)
        written = report.written_since(max(0.0, since - _OVERLAP))
        self._send(_changed(wanting, written))
        if (newest := max(written.values(), default=0.0)) > since:
            store.remember(_WRITTEN, repr(newest))

    def _send(self, reports: Iterable[tuple[Job, Target]]) -> None:
        for job, target in reports:
            key = (job.id, target.id, target.place_of(job))
            if key in self._refused or not deliveries.is_automatic(target, job):
                continue
            try:
                _begin(job, target, _ALONE)
            except UserError as error:
                self._refused.add(key)
                _note_once(job, f"its report was not sent to {target.name}: {error}")


def _deliver(job: Job) -> None:
    for target in targets():
        if not job.attempt or not deliveries.is_automatic(target, job):
            continue
        if target.what == _ALONE and not report.path_of(job):
            continue  # it is still to be written
        try:
            _begin(job, target)
        except UserError as error:
            # Told on the job itself: nobody is at a page to be answered.
            store.note(job, f"{NOT_SENT} {target.name}: {error}")


def _begin(job: Job, target: Target, what: tuple[What, ...] = ()) -> None:
    """Begin it; where nothing can go now it is kept as wanted, and ``_adopt`` begins it when it can."""
    deliveries.want(job, target, what)
    if why := target.why_not():
        _note_once(job, f"{NOT_SENT} {target.name} yet: {why}")
    else:
        deliveries.run_again(job.id, target.id)


def _note_once(job: Job, sentence: str) -> None:
    told = select(JobEvent.id).where(JobEvent.job_id == job.id, JobEvent.reason == sentence)
    if db.session.scalar(told.limit(1)) is None:
        store.note(job, sentence)


def _late(wanting: Sequence[Target], seconds: float) -> Iterator[tuple[Job, Target]]:
    """A report is written after the end of its job, when the other files are on their way already.

    It follows them: a target that the job did not go to, such as one added later, is left to people.
    """
    over = select(Job).where(Job.state.in_(_FINAL), Job.finished > time.time() - seconds)
    for job in db.session.scalars(over.order_by(Job.id.desc()).limit(_MOST_JOBS)).all():
        sent = [(row.target, row.path) for row in deliveries.rows(job.id)]
        went = {target for target, _ in sent}
        for target in wanting if report.path_of(job) else ():
            alone = target.what == _ALONE and target.since <= (job.finished or 0.0)
            if (target.id in went or alone) and (target.id, REPORT) not in sent:
                yield job, target


def _changed(wanting: Sequence[Target], written: Iterable[int]) -> Iterator[tuple[Job, Target]]:
    """Of these jobs, reports that were written anew after they were sent."""
    known = {target.id: target for target in wanting}
    for job_id in written:
        for row in deliveries.rows(job_id):
            if row.path == REPORT and row.target in known and deliveries.state_of(row) == "changed":
                yield store.get(job_id), known[row.target]


def _adopt() -> None:
    """Rows that wait while nobody is at them: they were chosen as their task was just ending, or while
    nothing could go there.
    """
    waiting = select(Delivery.job_id, Delivery.target).where(Delivery.state == "waiting").distinct()
    known = {target.id for target in targets() if not target.why_not()}
    for job_id, target in db.session.execute(waiting).all():
        if target not in known:
            continue
        latest = tasks.latest(f"job:{job_id}:delivery:{target}", deliveries.KIND)
        if latest is None or latest.state == "done" or latest.error == HUB_OFFLINE:
            deliveries.run_again(job_id, target)
