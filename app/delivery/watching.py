"""Starts uploads by itself: after a job that is over, and for rows whose task was lost."""

from __future__ import annotations

import logging
import time

from sqlalchemy import select

from app import tasks
from app.db import db
from app.delivery import store as deliveries
from app.delivery.targets import targets
from app.errors import UserError
from app.jobs import store
from app.jobs.event_cursor import EventCursor
from app.jobs.states import FINAL
from app.models import Delivery, Job, JobEvent

log = logging.getLogger(__name__)

_FINAL = {state.value for state in FINAL}
_LOOK_SECONDS = 60.0


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self) -> None:
        # What happened before the first start with this is left to people.
        self._events = EventCursor("delivery.cursor")
        self._looked = 0.0

    def tick(self) -> None:
        """One look. Needs an application context."""
        self._events.look(_over)
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            _adopt()


def _over(event: JobEvent) -> None:
    if event.new in _FINAL:
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
