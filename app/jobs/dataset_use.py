"""Which jobs trained on a dataset, and whether it is still what they trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from app.db import db
from app.jobs import workspace
from app.models import Job
from app.platform import current


@dataclass(frozen=True)
class Use:
    """A job that names the dataset."""

    id: int
    name: str
    state: str


def jobs(path: str, limit: int = 20) -> Sequence[Use]:
    """Jobs that name the folder, newest first; found by its name, then by its whole path."""
    folder = Path(path)
    told = json.dumps(folder.name, ensure_ascii=False)[1:-1]  # as documents are stored
    query = select(Job.id, Job.name, Job.state, Job.document).where(
        Job.document.contains(told, autoescape=True)
    )
    found = []
    for job_id, name, state, document in db.session.execute(query.order_by(Job.id.desc())):
        if folder in folders(json.loads(document)):
            found.append(Use(job_id, name, state))
            if len(found) == limit:
                break
    return found


def folders(document: Mapping[str, object]) -> list[Path]:
    """The absolute folders that a spec trains on."""
    given = document.get("datasets")
    paths = [entry.get("path") for entry in (given if isinstance(given, list) else ()) if entry]
    settings = current().settings
    return [workspace.dataset_path(settings, path) for path in paths if isinstance(path, str)]
