"""Starts uploads by itself: after a job that is over, and for rows whose task was lost."""

from __future__ import annotations

import logging
import time

from sqlalchemy import select

from app import tasks
from app.db import db
from app.delivery import store as deliveries
from app.delivery.choosing import REPORT
from app.delivery.targets import targets
from app.errors import UserError
from app.jobs import report, store
from app.jobs.event_cursor import EventCursor
from app.jobs.states import FINAL
from app.models import Delivery, Job, JobEvent

log = logging.getLogger(__name__)

_FINAL = {state.value for state in FINAL}
_LOOK_SECONDS, _SOON_SECONDS = 60.0, 2.0
_REPORT_SECONDS = 120.0
"""So long after a job's end its report is looked for often: it is written when the job is over."""
_DAY = 86_400.0
_MOST_JOBS = 50


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self) -> None:
        # What happened before the first start with this is left to people.
        self._events = EventCursor("delivery.cursor")
        self._looked = -_LOOK_SECONDS
        self._ended = -_REPORT_SECONDS

    def tick(self) -> None:
        """One look. Needs an application context."""
        self._events.look(self._over)
        now = time.monotonic()
        soon = now - self._ended < _REPORT_SECONDS
        if now - self._looked > (_SOON_SECONDS if soon else _LOOK_SECONDS):
            self._looked = now
            _adopt()
            _late_reports()

    def _over(self, event: JobEvent) -> None:
        if event.new in _FINAL:
            self._ended = time.monotonic()
            _deliver(event.job)


def _deliver(job: Job) -> None:
    for target in targets():
        if not job.attempt or not deliveries.is_automatic(target, job):
            continue
        try:
            deliveries.start(job, target.id)
        except UserError as error:
            # Told on the job itself: nobody is at a page to be answered.
            store.note(job, f"not sent to {target.name}: {error}")


def _late_reports() -> None:
    """A report is written after the end of its job, when the other files are on their way already."""
    wanting = [t for t in targets() if t.automatic != "never" and "report" in t.what]
    if not wanting:
        return
    over = select(Job).where(Job.state.in_(_FINAL), Job.finished > time.time() - _DAY)
    for job in db.session.scalars(over.order_by(Job.id.desc()).limit(_MOST_JOBS)).all():
        if not report.path_of(job):
            continue
        for target in wanting:
            sent = any(row.path == REPORT for row in deliveries.rows(job.id, target.id))
            if not sent and deliveries.is_automatic(target, job):
                deliveries.start(job, target.id)


def _adopt() -> None:
    """Rows that wait while nobody is at them: they were chosen as their task was just ending."""
    waiting = select(Delivery.job_id, Delivery.target).where(Delivery.state == "waiting").distinct()
    known = {target.id for target in targets()}
    for job_id, target in db.session.execute(waiting).all():
        if target not in known:
            continue
        latest = tasks.latest(f"job:{job_id}:delivery:{target}", deliveries.KIND)
        if latest is None or latest.state == "done":
            deliveries.run_again(job_id, target)
