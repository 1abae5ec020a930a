"""Reads and writes jobs. The one place that writes a job's state.

Every function is a short transaction of its own. All of them need an application context.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, Float, bindparam, func, select, update
from sqlalchemy import delete as delete_rows
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer

from app.db import connection, db
from app.errors import NotFoundError
from app.jobs.states import ACTIVE, MOVES, IllegalMoveError, JobState
from app.models import Attempt, Fact, Job, JobEvent

# Asked at every tick or on every page: made once and of tables alone, which is five times as fast.
_JOB, _KNOWN, _EVENT = Job.__table__.c, Fact.__table__.c, JobEvent.__table__.c
_COUNTS = select(_JOB.state, func.count()).group_by(_JOB.state)
_FACT = select(_KNOWN.value).where(_KNOWN.key == bindparam("key"))
_NEWEST_EVENT = select(func.max(_EVENT.id))
_MOST_VARIABLES = 500
"""In one statement; every SQLite takes so many."""
_IS_ACTIVE = Job.state.in_([s.value for s in ACTIVE])
_ONE = select(Job).where(Job.id == bindparam("number")).execution_options(populate_existing=True)
_ONE_ATTEMPT = (
    select(Attempt)
    .where(Attempt.job_id == bindparam("job"), Attempt.number == bindparam("number"))
    .execution_options(populate_existing=True)
)
_NEWEST_EVENT_OF = select(func.max(_EVENT.id)).where(_EVENT.job_id == bindparam("job"))
_ACTIVE = select(Job).where(_IS_ACTIVE).order_by(Job.id).execution_options(populate_existing=True)

_LONG = (defer(Job.document), defer(Job.notes))
LONGEST_BACK_OFF_SECONDS = 600.0
_NOW = bindparam("now", type_=Float)
# What is to begin later than the longest back-off was written by a clock that has been set back since.
_IS_TIME = (Job.not_before <= _NOW) | (Job.not_before > _NOW + LONGEST_BACK_OFF_SECONDS)
_MAY_START = (Job.state == JobState.QUEUED.value) & Job.held.is_(False) & _IS_TIME
_IS_LAUNCHABLE = select(Job.id).where(_MAY_START).limit(1)
_AT_ONCE = 50
_LAUNCHABLE = (
    select(Job)
    .where(_MAY_START, Job.executor.in_(bindparam("wishes", expanding=True)))
    .where(
        (Job.priority < bindparam("priority"))
        | ((Job.priority == bindparam("priority")) & (Job.id > bindparam("after")))
    )
    .order_by(Job.priority.desc(), Job.id)
    .limit(_AT_ONCE)
    .execution_options(populate_existing=True)
)
_ABOVE_ALL = 2**31 - 1
_LARGEST_ID = 2**63 - 1
CLUSTER_NOTICE = "slurm"
"""The fact that holds what people have to know about the cluster."""


def add(**columns: Any) -> Job:
    """A new queued job with its first event row."""
    now = time.time()
    job = Job(created=now, state=JobState.QUEUED.value, **columns)
    db.session.add(job)
    db.session.flush()
    db.session.add(JobEvent(job_id=job.id, at=now, new=JobState.QUEUED.value, reason="created"))
    db.session.commit()
    return job


def get(job_id: int) -> Job:
    """The job, freshly read. Raises NotFoundError."""
    known = abs(job_id) <= _LARGEST_ID
    job = db.session.scalars(_ONE, {"number": job_id}).one_or_none() if known else None
    if job is None:
        raise NotFoundError(f"There is no job {job_id}; it may have been deleted.")
    return job


def move(job: Job, new: JobState, reason: str = "", **columns: Any) -> None:
    """Change the state, record the event, commit. Safe against a racing mover.

    ``columns`` are written in the same transaction. Raises IllegalMoveError if the job is
    not, or is no longer, in a state that allows ``new``; exactly one of two racing callers wins.
    """
    old = job.status
    if new not in MOVES[old]:
        raise IllegalMoveError(job.id, old, new)
    statement = (
        update(Job)
        .where(Job.id == job.id, Job.state == old.value)
        .values(state=new.value, reason=reason, version=Job.version + 1, **columns)
        .execution_options(synchronize_session=False)
    )
    if not cast(CursorResult[Any], db.session.execute(statement)).rowcount:
        db.session.rollback()
        job_id = job.id
        raise IllegalMoveError(job_id, get(job_id).status, new)
    db.session.add(
        JobEvent(
            job_id=job.id,
            at=time.time(),
            old=old.value,
            new=new.value,
            reason=reason,
            attempt=columns.get("attempt", job.attempt),
        )
    )
    db.session.commit()
    db.session.refresh(job)


def note(job: Job, reason: str) -> None:
    """An event row that is no move: something worth telling."""
    db.session.add(JobEvent(job_id=job.id, at=time.time(), reason=reason, attempt=job.attempt))
    change(job)


def change(job: Job, only: JobState | None = None, **columns: Any) -> bool:
    """Write columns other than the state, and let every open page see it.

    With ``only`` where the job still is in that state, and nothing else; whether it was.
    """
    if "state" in columns:
        raise ValueError("The state is changed by move() alone.")
    which = [Job.id == job.id] if only is None else [Job.id == job.id, Job.state == only.value]
    statement = update(Job).where(*which).values(version=Job.version + 1, **columns)
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.commit()
    db.session.refresh(job)
    return bool(cast(CursorResult[Any], done).rowcount)


def change_all(job_ids: Sequence[int], **columns: Any) -> None:
    """The same for many jobs at once, in one transaction. Objects that were read keep what they had."""
    for begin in range(0, len(job_ids), _MOST_VARIABLES):
        some = job_ids[begin : begin + _MOST_VARIABLES]
        statement = update(Job).where(Job.id.in_(some)).values(version=Job.version + 1, **columns)
        db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.commit()


def delete(job: Job) -> bool:
    """Forget the job with all its rows; False where it holds a slot, perhaps since a moment ago."""
    statement = delete_rows(Job).where(Job.id == job.id, ~_IS_ACTIVE)
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.commit()
    return bool(cast(CursorResult[Any], done).rowcount)


def active() -> Sequence[Job]:
    """Jobs that hold a slot: starting, running or stopping. Freshly read."""
    return db.session.scalars(_ACTIVE).all()


def newest_attempts(jobs: Sequence[Job]) -> dict[int, Attempt]:
    """The newest attempt of each of these jobs, in one query. Freshly read."""
    if not jobs:
        return {}
    wanted = (
        select(Attempt)
        .join(Job, (Job.id == Attempt.job_id) & (Job.attempt == Attempt.number))
        .where(Job.id.in_([job.id for job in jobs]))
        .execution_options(populate_existing=True)
    )
    return {attempt.job_id: attempt for attempt in db.session.scalars(wanted)}


def is_launchable(now: float) -> bool:
    """Whether any queued job may start now."""
    return connection().scalar(_IS_LAUNCHABLE, {"now": now}) is not None


def launchable(now: float, wishes: Collection[str] = ("", "local", "slurm")) -> Iterator[Job]:
    """Queued jobs that may start now, in launch order: priority, then age.

    Only those whose wish where to run is among ``wishes``. Read piece by piece: whoever has no place
    left asks no further, and however many wait for one place, those behind them get another.
    """
    priority, after = _ABOVE_ALL, 0
    while True:
        where = {"now": now, "wishes": list(wishes), "priority": priority, "after": after}
        rows = db.session.scalars(_LAUNCHABLE, where).all()
        if rows:
            priority, after = rows[-1].priority, rows[-1].id
        yield from rows
        if len(rows) < _AT_ONCE:
            return


def _jobs(statement: Any) -> Sequence[Job]:
    return db.session.scalars(statement.execution_options(populate_existing=True)).all()


def page(
    *, state: str | None = None, search: str = "", limit: int = 50, before: int | None = None
) -> Sequence[Job]:
    """Jobs, newest first, at most ``limit``, with a smaller id than ``before``.

    Their document and notes are read when asked for: a table shows neither.
    """
    statement = select(Job).order_by(Job.id.desc()).limit(limit).options(*_LONG)
    if state:
        statement = statement.where(Job.state == state)
    if search:
        statement = statement.where(Job.name.contains(search, autoescape=True))
    if before is not None:
        statement = statement.where(Job.id < before)
    return _jobs(statement)


def some(ids: Collection[int]) -> Sequence[Job]:
    """Those of these jobs that are there, as ``page`` reads them."""
    return _jobs(select(Job).where(Job.id.in_(ids)).options(*_LONG))


def finished_like(family: str, engine: str, most: int) -> Sequence[Job]:
    """The newest jobs of a family on an engine that succeeded, newest first."""
    wanted = select(Job).where(
        Job.family == family, Job.engine == engine, Job.state == JobState.SUCCEEDED.value
    )
    return _jobs(wanted.order_by(Job.id.desc()).limit(most))


def highest_priority() -> int:
    """The highest priority in the queue; 0 when it is empty."""
    queued = select(func.max(Job.priority)).where(Job.state == JobState.QUEUED.value)
    return db.session.scalar(queued) or 0


def counts() -> dict[str, int]:
    """How many jobs there are in each state that has any."""
    return {row[0]: row[1] for row in connection().execute(_COUNTS)}


def open_attempt(job: Job, **columns: Any) -> Attempt:
    """The row of a new attempt. The caller moves the job in the same breath."""
    attempt = Attempt(job_id=job.id, started=time.time(), **columns)
    db.session.add(attempt)
    db.session.commit()
    return attempt


def attempt_of(job: Job, number: int | None = None) -> Attempt | None:
    """One attempt of the job; the newest when no number is given."""
    wanted = job.attempt if number is None else number
    return db.session.scalars(_ONE_ATTEMPT, {"job": job.id, "number": wanted}).one_or_none()


def change_attempt(attempt: Attempt, **columns: Any) -> None:
    """Write columns of an attempt."""
    for key, value in columns.items():
        setattr(attempt, key, value)
    db.session.commit()


def events(job_id: int, *, after: int = 0, limit: int = 200) -> Sequence[JobEvent]:
    """Events of a job with a larger id than ``after``, oldest first."""
    wanted = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > after)
    return db.session.scalars(wanted.order_by(JobEvent.id).limit(limit)).all()


def events_since(after: int, limit: int = 100) -> Sequence[JobEvent]:
    """Events of all jobs with a larger id than ``after``, oldest first."""
    wanted = select(JobEvent).where(JobEvent.id > after).order_by(JobEvent.id).limit(limit)
    return db.session.scalars(wanted).all()


def newest_event_of(job: Job) -> int:
    """Id of the newest event of a job; 0 when there is none."""
    return connection().scalar(_NEWEST_EVENT_OF, {"job": job.id}) or 0


def newest_event() -> int:
    """Id of the newest event of any job; 0 when there is none. Cheap: the end of an index."""
    return connection().scalar(_NEWEST_EVENT) or 0


def fact(key: str) -> str:
    """A remembered fact about the queue; empty when there is none."""
    return connection().scalar(_FACT, {"key": key}) or ""


def remember(key: str, value: str) -> None:
    """Remember a fact about the queue; of two that do so at once the later one stays."""
    try:
        db.session.merge(Fact(key=key, value=value))
        db.session.commit()
    except IntegrityError:  # for the first time, and somebody else was quicker
        db.session.rollback()
        db.session.merge(Fact(key=key, value=value))
        db.session.commit()
