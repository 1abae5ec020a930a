"""The rows of deliveries: what was chosen for which target, and how it stands there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, cast

from sqlalchemy import bindparam, func, select

from app import tasks
from app.db import connection, db
from app.delivery.choosing import CARD, Chosen, What, choose
from app.delivery.targets import Target, find, targets
from app.errors import ConflictError
from app.jobs import service
from app.jobs.states import JobState
from app.models import Delivery, Job, Task

KIND = "delivery.upload"
_SETTLE_SECONDS = 15.0
"""A job that is over goes to its automatic targets at the next tick; pages wait for that."""

# Asked by every poll of a page: made once.
_ROWS = (
    select(Delivery)
    .where(Delivery.job_id == bindparam("job"))
    .order_by(Delivery.target, Delivery.path)
    .execution_options(populate_existing=True)
)
_ROWS_OF_TARGET = _ROWS.where(Delivery.target == bindparam("target"))
_VERIFIED = select(func.count(), func.max(Delivery.__table__.c.verified_at)).where(
    Delivery.__table__.c.job_id == bindparam("job"), Delivery.__table__.c.state == "verified"
)
_SAFE = (Delivery.state == "verified") & Delivery.path.endswith(".safetensors")
_COPIED = select(Delivery.job_id).where(_SAFE).distinct()
_COPIED_BETWEEN = _COPIED.where(Delivery.job_id.between(bindparam("first"), bindparam("last")))
_COPIED_OF = _COPIED.where(Delivery.job_id.in_(bindparam("ids", expanding=True)))


def rows(job_id: int, target: str = "") -> Sequence[Delivery]:
    """Everything of a job that was chosen, by target and path."""
    if target:
        return db.session.scalars(_ROWS_OF_TARGET, {"job": job_id, "target": target}).all()
    return db.session.scalars(_ROWS, {"job": job_id}).all()


State = Literal["waiting", "sent", "verified", "failed", "changed"]


def state_of(row: Delivery) -> State:
    """The state as it stands now: a file that was written anew after its upload is ``changed``."""
    if row.state != "verified":
        return cast(State, row.state)
    try:
        stat = (service.run_dir(row.job_id).root / row.source).stat()
    except OSError:
        return "verified"  # deleted here, kept there
    same = (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns)
    return "verified" if same else "changed"


def start(job: Job, target_id: str, what: tuple[What, ...] = ()) -> Task:
    """Queue the upload of a job's files to a target. Raises as ``want`` does."""
    want(job, find(target_id), what)
    return run_again(job.id, target_id)


def want(job: Job, target: Target, what: tuple[What, ...] = ()) -> None:
    """Write down what of a job is to go to a target; what is safe there already is left alone.

    Raises ConflictError where there is nothing to send or another job's files lie at that place.
    """
    files = choose(job, what or target.what)
    if not files:
        raise ConflictError(f"Job {job.id} has no such files (yet).")
    if target.kind == "hub":
        files = (*files, Chosen(f"delivery/{target.id}/{CARD}", CARD))
    _refuse_shared_place(job, target)
    have = {row.path: row for row in rows(job.id, target.id)}
    for file in files:
        row = have.get(file.path)
        if row is None:
            row = Delivery(job_id=job.id, target=target.id, path=file.path, created=time.time())
            db.session.add(row)
        elif state_of(row) == "verified" and row.source == file.source and file.path != CARD:
            continue
        row.source, row.state, row.error = file.source, "waiting", ""
        row.remote = target.place_of(job)
    db.session.commit()


def order(job: Job, target_id: str, what: tuple[What, ...] = ()) -> Task:
    """``start``, asked for by a person, who is told at once where it cannot work."""
    if why := find(target_id).why_not():
        raise ConflictError(why)
    return start(job, target_id, what)


def run_again(job_id: int, target_id: str) -> Task:
    """The task that uploads what waits; a new one unless one is at it."""
    subject = _subject(job_id, target_id)
    latest = tasks.latest(subject, KIND)
    if latest is not None and not latest.is_final:
        return latest
    return tasks.start(KIND, subject, {"job": job_id, "target": target_id})


def _refuse_shared_place(job: Job, target: Target) -> None:
    place = target.place_of(job)
    other = db.session.scalar(
        select(Delivery.job_id).where(
            Delivery.target == target.id, Delivery.remote == place, Delivery.job_id != job.id
        )
    )
    if other is not None:
        raise ConflictError(
            f"The files of job {other} lie at {place} already and would be overwritten. "
            "Put {id} into this place, under Copies on the Settings page."
        )


def task_of(job: Job, target_id: str) -> Task | None:
    """The newest upload of a job to a target."""
    return tasks.latest(_subject(job.id, target_id), KIND)


def _subject(job_id: int, target_id: str) -> str:
    return f"job:{job_id}:delivery:{target_id}"


def change(row_id: int, **columns: Any) -> None:
    """Write columns of a row, if it is still there."""
    row = db.session.get(Delivery, row_id, populate_existing=True)
    if row is not None:
        for name, value in columns.items():
            setattr(row, name, value)
    db.session.commit()


def forget(row_id: int) -> None:
    """Remove a row whose file is gone before anything of it was safe."""
    row = db.session.get(Delivery, row_id)
    if row is not None:
        db.session.delete(row)
    db.session.commit()


def jobs_with_copy(ids: Sequence[int]) -> set[int]:
    """Those of these jobs that have a verified copy of a LoRA somewhere; for a table, in one query."""
    if not ids:
        return set()
    first, last = min(ids), max(ids)
    if last - first < 4 * len(ids):
        # A statement that is always the same is made ready four times as fast as one of 50 numbers.
        found = connection().execute(_COPIED_BETWEEN, {"first": first, "last": last})
        return {*found.scalars()}.intersection(ids)
    return {*db.session.scalars(_COPIED_OF, {"ids": list(ids)})}


def under_way(job: Job) -> bool:
    """Whether files of a job are being sent, or may be in a moment, since it is just over."""
    if not targets():
        return False
    if job.finished and job.status.is_final and time.time() - job.finished < _SETTLE_SECONDS:
        return True
    ours = _subject(job.id, "")
    return any(task.subject.startswith(ours) for task in tasks.active(KIND))


def verified(job_id: int) -> str:
    """Changes when a copy of the job's files was verified, or is wanted anew; one cheap look."""
    count, newest = connection().execute(_VERIFIED, {"job": job_id}).one()
    return f"{count}.{newest or 0:.0f}"


def is_automatic(target: Target, job: Job) -> bool:
    """Whether a job that is over goes to a target by itself."""
    if target.automatic == "success":
        return job.status is JobState.SUCCEEDED
    return target.automatic == "always" and job.status.is_final
