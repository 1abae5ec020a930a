"""Which jobs name a model, and which jobs wait until theirs is here. Need an application context."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from app import tasks
from app.base_models import Entry, Hub, Local, orders, resolve
from app.db import db
from app.errors import ConflictError
from app.jobs.states import ACTIVE
from app.models import Job, Task
from app.settings import Settings

_MOST_JOBS = 200


def users_of(entry: Entry, settings: Settings) -> list[Job]:
    """Jobs whose base model or component it is, newest first."""
    word = _repo_of(entry) or Path(entry.path).name
    escaped = json.dumps(word, ensure_ascii=False)[1:-1]
    query = (
        select(Job)
        .where(Job.document.contains(escaped, autoescape=True))
        .order_by(Job.id.desc())
        .limit(_MOST_JOBS)
    )
    return [job for job in db.session.scalars(query) if _names(job, entry, settings)]


def running(jobs: Sequence[Job]) -> list[Job]:
    """Those that hold their model open."""
    return [job for job in jobs if job.status in ACTIVE]


def delete(entry: Entry, settings: Settings, part: str = "") -> Task:
    """Have a model, or that part of it, removed that no running job uses. Raises ConflictError."""
    if entry.source == "folder":
        raise ConflictError(
            "It lies in a folder that was added, which is only looked at. Delete it there, or forget the folder."
        )
    if holders := running(users_of(entry, settings)):
        names = ", ".join(f"{job.name} (#{job.id})" for job in holders[:3])
        raise ConflictError(
            f"{entry.name} is in use by {names}. Stop that first, or let it finish."
        )
    return orders.delete(entry, part)


def _repo_of(entry: Entry) -> str:
    if entry.source != "cache":
        return ""
    return Path(entry.path).name.removeprefix("models--").replace("--", "/")


def _named(job: Job) -> list[str]:
    document = json.loads(job.document)
    parts = document.get("components") or {}
    return [str(text) for text in (document.get("base_model"), *parts.values()) if text]


def _names(job: Job, entry: Entry, settings: Settings) -> bool:
    target, repo = Path(entry.path), _repo_of(entry)
    for text in _named(job):
        place = resolve(text, settings.data_dir)
        if isinstance(place, Hub) and place.repo == repo:
            return True
        if isinstance(place, Local) and (place.path == target or target in place.path.parents):
            return True
    return False


def waits_for(job: Job, settings: Settings, subjects: frozenset[str]) -> str:
    """The repository whose download a queued job should wait for; empty when there is none."""
    if not subjects:
        return ""
    return next(filter(None, (awaited(t, settings, subjects) for t in _named(job))), "")


def awaited(text: str, settings: Settings, subjects: frozenset[str]) -> str:
    """The repository that a name points to, if it or the file named is among the downloads."""
    place = resolve(text, settings.data_dir)
    if not isinstance(place, Hub):
        return ""
    own = f"model:{place.repo}"
    return place.repo if own in subjects or f"{own}/{place.file}" in subjects else ""


def downloading() -> frozenset[str]:
    """Subjects of the downloads that wait or run."""
    return frozenset(task.subject for task in tasks.active("model.download"))


def why_waiting(settings: Settings, job: Job, subjects: frozenset[str]) -> str:
    """What a queued job waits for, if it is a download; else empty."""
    repo = waits_for(job, settings, subjects)
    return f"waits for the download of {repo}" if repo else ""
