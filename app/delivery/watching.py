"""Starts uploads by itself: after a job that is over, and for rows whose task was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from app import tasks
from app.db import db
from app.delivery import store as deliveries
from app.delivery.choosing import What
from app.delivery.targets import Target, targets
from app.errors import UserError
from app.jobs import report, store
from app.jobs.event_cursor import EventCursor
from app.jobs.rundir import REPORT
from app.jobs.states import FINAL
from app.models import Delivery, Job, JobEvent

log = logging.getLogger(__name__)

_FINAL = {state.value for state in FINAL}
_LOOK_SECONDS, _SOON_SECONDS = 60.0, 2.0
_REPORT_SECONDS = 120.0
"""So long after a job's end its report is looked for often: it is written when the job is over."""
_ALONE: tuple[What, ...] = ("report",)
_DAY = 86_400.0
_MOST_JOBS = 50


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self) -> None:
        self._refused: set[tuple[int, str]] = set()
        """Jobs and targets whose report was refused there: told once."""
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
            self._send_reports()

    def _over(self, event: JobEvent) -> None:
        if event.new in _FINAL:
            self._ended = time.monotonic()
            _deliver(event.job)

    def _send_reports(self) -> None:
        wanting = [t for t in targets() if t.automatic != "never" and "report" in t.what]
        for job, target in [*_late(wanting), *_changed(wanting)] if wanting else ():
            if (job.id, target.id) in self._refused or not deliveries.is_automatic(target, job):
                continue
            try:
                deliveries.start(job, target.id, _ALONE)
            except UserError as error:
                self._refused.add((job.id, target.id))
                store.note(job, f"its report was not sent to {target.name}: {error}")


def _deliver(job: Job) -> None:
    for target in targets():
        if not job.attempt or not deliveries.is_automatic(target, job):
            continue
        if target.what == _ALONE and not report.path_of(job):
            continue  # it is still to be written
        try:
            deliveries.start(job, target.id)
        except UserError as error:
            # Told on the job itself: nobody is at a page to be answered.
            store.note(job, f"not sent to {target.name}: {error}")


def _late(wanting: Sequence[Target]) -> Iterator[tuple[Job, Target]]:
    """A report is written after the end of its job, when the other files are on their way already.

    It follows them: a target that the job did not go to, such as one added later, is left to people.
    """
    over = select(Job).where(Job.state.in_(_FINAL), Job.finished > time.time() - _DAY)
    for job in db.session.scalars(over.order_by(Job.id.desc()).limit(_MOST_JOBS)).all():
        sent = [(row.target, row.path) for row in deliveries.rows(job.id)]
        went = {target for target, _ in sent}
        for target in wanting if report.path_of(job) else ():
            if (target.id in went or target.what == _ALONE) and (target.id, REPORT) not in sent:
                yield job, target


def _changed(wanting: Sequence[Target]) -> Iterator[tuple[Job, Target]]:
    """Reports that were written anew after they were sent, however long ago that was."""
    known = {target.id: target for target in wanting}
    sent = select(Delivery).where(
        Delivery.path == REPORT, Delivery.state == "verified", Delivery.target.in_(known)
    )
    for row in db.session.scalars(sent.execution_options(populate_existing=True)).all():
        if deliveries.state_of(row) == "changed":
            yield store.get(row.job_id), known[row.target]


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
