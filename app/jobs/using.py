"""Which unfinished jobs need a folder, so that it is not taken from under them."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import select

from app.db import db
from app.errors import ConflictError
from app.jobs.states import JobState
from app.jobs.workspace import dataset_path
from app.models import Job
from app.platform import current

_UNFINISHED = [state.value for state in JobState if not state.is_final]


def jobs_using(folder: Path) -> list[Job]:
    """Queued and active jobs with a dataset in ``folder``, or in a folder above or below it."""
    jobs = db.session.scalars(select(Job).where(Job.state.in_(_UNFINISHED)).order_by(Job.id))
    return [job for job in jobs if any(_touches(path, folder) for path in _paths(job))]


def refuse_if_used(folder: Path, what: str, verb: str) -> None:
    """Raises ConflictError that names the first job which needs the folder."""
    for job in jobs_using(folder):
        end = "Stop it first" if job.status.is_active else "Cancel or finish it first"
        raise ConflictError(
            f"{what} cannot be {verb}: job {job.id} ({job.name}) is {job.state} and uses it. {end}."
        )


def refuse_if_training(folder: Path, what: str) -> None:
    """Raises ConflictError while a job trains on pictures of the folder.

    An engine that caches nothing opens each of them at every turn, and one that is gone ends the run.
    """
    for job in jobs_using(folder):
        if job.status.is_active:
            raise ConflictError(
                f"Pictures of {what} cannot be changed or deleted while job {job.id} ({job.name}) trains "
                "on them: it may open them until its end. Stop it first, or wait. Captions can be edited."
            )


def _paths(job: Job) -> list[Path]:
    settings = current().settings
    datasets = json.loads(job.document).get("datasets") or []
    return [dataset_path(settings, d["path"]) for d in datasets if d.get("path")]


def _touches(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder) or folder.is_relative_to(path)
