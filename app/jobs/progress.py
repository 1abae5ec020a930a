"""The rows of running jobs as the supervisor reads and writes them each second, in as few statements as it takes.

One statement reads every active job with its newest attempt; two and a commit write how far one is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import defer
from sqlalchemy.orm.attributes import set_committed_value

from app.db import connection, db
from app.jobs.states import ACTIVE, JobState
from app.models import Attempt, Job

_JOB, _ATTEMPT = Job.__table__, Attempt.__table__
_IS_ACTIVE = or_(*(Job.state == state.value for state in ACTIVE))
_FOLLOWED = (
    select(Job, Attempt)
    .outerjoin(Attempt, (Attempt.job_id == Job.id) & (Attempt.number == Job.attempt))
    .where(_IS_ACTIVE)
    .order_by(Job.id)
    # Read when asked for, which is once in the life of an attempt.
    .options(defer(Job.document), defer(Job.notes))
    .execution_options(populate_existing=True)
)
_ACTIVE_STATES = select(_JOB.c.id, _JOB.c.state).where(_IS_ACTIVE)
_OF_JOB = (
    "step", "total_steps", "loss", "learning_rate", "seconds_per_step", "phase", "finish_at",
    "last_output",
)  # fmt: skip
_OF_ATTEMPT = ("log_offset", "last_step", "steps_per_epoch", "start_step")
# All columns each time: a statement that is always the same needs no thought.
_WRITE_JOB = (
    update(_JOB)
    .where(_JOB.c.id == bindparam("row"))
    .values(version=_JOB.c.version + 1, **{name: bindparam(f"new_{name}") for name in _OF_JOB})
)
_WRITE_ATTEMPT = (
    update(_ATTEMPT)
    .where(_ATTEMPT.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}") for name in _OF_ATTEMPT})
)


def followed(asleep: Collection[int] = ()) -> Sequence[tuple[Job, Attempt | None]]:
    """Jobs that hold a slot, less the starting ones among ``asleep``, each with its newest attempt.

    Freshly read.
    """
    if not asleep:
        return [(row[0], row[1]) for row in db.session.execute(_FOLLOWED)]
    rows = connection().execute(_ACTIVE_STATES).all()
    awake = [n for n, state in rows if state != JobState.STARTING.value or n not in asleep]
    if not awake:
        return ()
    return [(row[0], row[1]) for row in db.session.execute(_FOLLOWED.where(Job.id.in_(awake)))]


def write(
    job: Job, attempt: Attempt, new: Mapping[str, Any], of_attempt: Mapping[str, Any]
) -> None:
    """Put progress on the job, for every open page to see, and on its attempt, in one transaction.

    The two objects are given what was written, and are not read anew.
    """
    session = db.session()
    connection().execute(_WRITE_JOB, _values(job, _OF_JOB, new))
    if of_attempt:
        connection().execute(_WRITE_ATTEMPT, _values(attempt, _OF_ATTEMPT, of_attempt))
    session.expire_on_commit = False
    try:
        session.commit()
    finally:
        session.expire_on_commit = True
    for row, values in ((job, new), (attempt, of_attempt)):
        for name, value in values.items():
            set_committed_value(row, name, value)


def _values(row: Job | Attempt, names: Sequence[str], new: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := new.keys() - set(names):
        raise ValueError(f"{sorted(unknown)} are no progress of {type(row).__name__}")
    values = {f"new_{name}": new.get(name, getattr(row, name)) for name in names}
    return {"row": row.id, **values}
