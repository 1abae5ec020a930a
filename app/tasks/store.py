"""The rows of background work. All functions need an application context."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from flask import current_app
from sqlalchemy import bindparam, select, update

from app import waking
from app.db import db
from app.errors import ConflictError, NotFoundError
from app.models import Task
from app.settings import Settings
from app.tasks.kinds import KINDS, LANES, Lane
from app.tasks.work import log_path
from app.vault import Vault

UNFINISHED = ("waiting", "running")
Ended = Literal["done", "failed"]

# Asked at every tick, or by every poll of a page: made once.
_ACTIVE = (select(Task).where(Task.state.in_(UNFINISHED)).order_by(Task.id)).execution_options(
    populate_existing=True
)
_STARTABLE = (
    select(Task)
    .where(
        Task.state == "waiting",
        Task.not_before <= bindparam("now"),
        Task.lane.in_(bindparam("lanes", expanding=True)),
    )
    .order_by(Task.id)
    .limit(50)
    .execution_options(populate_existing=True)
)
_OF_SUBJECT = (
    select(Task)
    .where(Task.subject == bindparam("subject"))
    .order_by(Task.id.desc())
    .limit(bindparam("most"))
    .execution_options(populate_existing=True)
)
_OF_KIND = _OF_SUBJECT.where(Task.kind == bindparam("kind"))


def start(
    kind: str, subject: str, arguments: Mapping[str, Any] | None = None, *, delay: float = 0.0
) -> Task:
    """Queue a piece of work about ``subject``, such as ``dataset:3``. The supervisor starts it,
    not before ``delay`` seconds have passed.

    Secrets do not belong into the arguments: they are stored.
    """
    task = Task(
        kind=kind,
        lane=KINDS[kind].lane,
        subject=subject,
        arguments=json.dumps(arguments or {}, ensure_ascii=False),
        not_before=time.time() + delay if delay else 0.0,
        created=time.time(),
    )
    db.session.add(task)
    db.session.commit()
    _wake()
    return task


def get(task_id: int) -> Task:
    """Raises NotFoundError."""
    found = db.session.get(Task, task_id, populate_existing=True)
    if found is None:
        raise NotFoundError(f"There is no task {task_id} (any more).")
    return found


def find(subject: str, kind: str = "", limit: int = 20) -> Sequence[Task]:
    """Work about a subject, newest first."""
    wanted: dict[str, str | int] = {"subject": subject, "most": limit}
    if kind:
        return db.session.scalars(_OF_KIND, {**wanted, "kind": kind}).all()
    return db.session.scalars(_OF_SUBJECT, wanted).all()


def latest(subject: str, kind: str = "") -> Task | None:
    """The newest piece of work about a subject."""
    return next(iter(find(subject, kind, 1)), None)


def recent(kind: str, limit: int = 20) -> Sequence[Task]:
    """Work of a kind, newest first."""
    query = select(Task).where(Task.kind == kind).order_by(Task.id.desc()).limit(limit)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def active(kind_prefix: str = "") -> Sequence[Task]:
    """Everything that waits or runs, oldest first."""
    query = _ACTIVE
    if kind_prefix:
        query = query.where(Task.kind.startswith(kind_prefix, autoescape=True))
    return db.session.scalars(query).all()


def active_of(subject: str) -> Sequence[Task]:
    """What waits or runs about a subject, oldest first."""
    return db.session.scalars(_ACTIVE.where(Task.subject == subject)).all()


def page(
    *, subject: str | None = None, kind: str = "", limit: int = 50, before: int | None = None
) -> Sequence[Task]:
    """Work of all kinds or of one, about everything or one subject, newest first."""
    query = select(Task).order_by(Task.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(Task.subject == subject)
    if kind:
        query = query.where(Task.kind == kind)
    if before is not None:
        query = query.where(Task.id < before)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def ended_since(kind_prefix: str, state: Ended, since: float) -> Sequence[Task]:
    """Work of some kinds that is done or failed since then (epoch seconds), oldest first."""
    query = select(Task).where(
        Task.state == state,
        Task.kind.startswith(kind_prefix, autoescape=True),
        Task.finished >= since,
    )
    return db.session.scalars(query.order_by(Task.id)).all()


def cancel(task: Task) -> None:
    """A waiting piece is cancelled at once, a running one when its process is gone."""
    if _change_if(task.id, "waiting", {"state": "cancelled", "finished": time.time()}):
        return
    if not _change_if(task.id, "running", {"wish": "cancel"}):
        raise ConflictError(f"This is {task.state} already; there is nothing to cancel.")
    _wake()


def retry(task: Task) -> Task:
    """Queue a failed or cancelled piece again, as the same row; it goes on from what is on disk."""
    fresh = {"wish": "", "error": "", "tries": 0, "not_before": 0.0, "finished": None}
    for state in ("failed", "cancelled"):
        if _change_if(task.id, state, {**fresh, "state": "waiting"}):
            _wake()
            return task
    raise ConflictError(f"This is {task.state}; only what failed or was cancelled can go on.")


def forget(task: Task) -> None:
    """Remove the row of a finished piece, with its log and the secret that it kept in the vault."""
    if task.state in UNFINISHED:
        raise ConflictError("Cancel it first.")
    settings: Settings = current_app.extensions["vast-lora"].settings
    if secret := json.loads(task.arguments).get("secret"):
        Vault(settings.data_dir).put(secret, None)
    log_path(settings, task.id).unlink(missing_ok=True)
    db.session.delete(task)
    db.session.commit()


def result_of(task: Task) -> dict[str, Any]:
    """What a finished piece returned."""
    found: dict[str, Any] = json.loads(task.result or "{}")
    return found


def keep_result(task_id: int, result: Mapping[str, Any]) -> None:
    """Write down what a piece is about to return, before it removes what it would be made from again.

    One that was killed after that finds it when it goes on (``result_of``).
    """
    change(task_id, result=json.dumps(result, ensure_ascii=False))


def startable(now: float, lanes: Collection[Lane] = tuple(LANES)) -> Sequence[Task]:
    """What waits in these lanes and may start, oldest first; a few of them."""
    return db.session.scalars(_STARTABLE, {"now": now, "lanes": sorted(lanes)}).all()


def claim(task_id: int) -> bool:
    """Say that a waiting piece runs; False where a person cancelled it just now."""
    fresh = {"state": "running", "started": time.time(), "message": "", "error": ""}
    return _change_if(task_id, "waiting", fresh)


def to_cancel() -> Sequence[int]:
    """Running pieces that a person wants to end."""
    return db.session.scalars(
        select(Task.id).where(Task.state == "running", Task.wish == "cancel")
    ).all()


def requeue_orphans(alive: Collection[int] = ()) -> int:
    """What is said to run and is none of those ``alive`` waits again; how many that were."""
    done = db.session.execute(
        update(Task)
        .where(Task.state == "running", Task.id.not_in(alive))
        .values(state="waiting", version=Task.version + 1)
    )
    db.session.commit()
    return int(getattr(done, "rowcount", 0))


def change(task_id: int, **values: Any) -> None:
    """Set columns of a row, if it is still there."""
    db.session.execute(
        update(Task).where(Task.id == task_id).values(version=Task.version + 1, **values)
    )
    db.session.commit()


def _wake() -> None:
    """Have the supervisor of this or another program look at once."""
    waking.ring(current_app.extensions["vast-lora"].settings.data_dir)


def _change_if(task_id: int, state: str, values: Mapping[str, Any]) -> bool:
    """Change a row only while it is in ``state``; whether it was."""
    done = db.session.execute(
        update(Task)
        .where(Task.id == task_id, Task.state == state)
        .values(version=Task.version + 1, **values)
    )
    db.session.commit()
    return bool(getattr(done, "rowcount", 0))
