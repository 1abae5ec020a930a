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
from app.jobs.states import FINAL
from app.models import Delivery, Job

log = logging.getLogger(__name__)

_CURSOR = "delivery.cursor"
_FINAL = {state.value for state in FINAL}
_LOOK_SECONDS = 60.0


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self) -> None:
        self._seen = -1
        self._looked = 0.0

    def tick(self) -> None:
        """One look. Needs an application context."""
        newest = store.newest_event()
        if newest != self._seen:
            _events(newest)
            self._seen = newest
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            _adopt()


def _events(newest: int) -> None:
    cursor = store.fact(_CURSOR)
    if not cursor:
        # The first start with this version: what happened before it is left to people.
        store.remember(_CURSOR, str(newest))
        return
    at = int(cursor)
    while events := store.events_since(at):
        for event in events:
            if event.new in _FINAL:
                _deliver(event.job)
        at = events[-1].id
        store.remember(_CURSOR, str(at))


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
