"""Deleting a dataset: its folder gets a hidden name at once and is deleted later, so that it can be had back."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app import tasks
from app.datasets import cached, uploads
from app.db import db
from app.errors import ConflictError, NotFoundError
from app.models import Dataset
from app.tasks import Work

KIND = "dataset.purge"
UNDO_SECONDS = 30 * 60.0
_HIDDEN = ".removed-"


def remove(dataset: Dataset) -> None:
    """Take it off the list. A managed folder is deleted after half an hour, any other stays.

    Whether a job needs it is the caller's to ask: datasets know nothing of jobs.
    """
    for task in tasks.active_of(f"dataset:{dataset.id}"):
        if task.kind == "dataset.import":
            raise ConflictError(
                f"Pictures are being brought into {dataset.name}. Cancel that first, then delete it."
            )
        tasks.cancel(task)
    name, path = dataset.name, dataset.path
    mark = f"{_HIDDEN}{dataset.id}-"
    # The row first: a folder that lost its row is found again, a row without folder would lie.
    dataset.removed = time.time()
    dataset.name = mark + name
    dataset.path = str(Path(path).with_name(mark + name)) if dataset.managed else mark + path
    db.session.commit()
    try:
        if dataset.managed and Path(path).exists():
            Path(path).rename(dataset.path)
    except OSError as error:
        dataset.removed, dataset.name, dataset.path = None, name, path
        db.session.commit()
        raise ConflictError(f"{path} cannot be removed: {error.strerror}.") from error
    tasks.start(KIND, _subject(dataset.id), {"dataset": dataset.id}, delay=UNDO_SECONDS)


def discard(dataset: Dataset) -> None:
    """Take back one that was made a moment ago and is empty."""
    with contextlib.suppress(OSError):
        Path(dataset.path).rmdir()
    db.session.delete(dataset)
    db.session.commit()


def removed() -> Sequence[Dataset]:
    """What can still be had back, newest first."""
    query = select(Dataset).where(Dataset.removed.is_not(None)).order_by(Dataset.removed.desc())
    return db.session.scalars(query).all()


def shown_name(dataset: Dataset) -> str:
    """The name that a removed dataset had."""
    return dataset.name.removeprefix(f"{_HIDDEN}{dataset.id}-")


def restore(dataset_id: int) -> Dataset:
    """Put a removed dataset back. Raises ConflictError where its name was given away meanwhile."""
    dataset = _removed(dataset_id)
    name, mark = shown_name(dataset), f"{_HIDDEN}{dataset.id}-"
    hidden = Path(dataset.path)
    path = hidden.with_name(name) if dataset.managed else Path(dataset.path.removeprefix(mark))
    taken = db.session.scalars(
        select(Dataset).where((Dataset.name == name) | (Dataset.path == str(path)))
    ).first()
    if taken is not None or (dataset.managed and path.exists()):
        raise ConflictError(f"There is another {name} by now. Rename that one, then undo again.")
    if (purge := tasks.latest(_subject(dataset_id), KIND)) is not None:
        if purge.state == "running":
            raise ConflictError(f"{name} is being deleted already.")
        if purge.state == "waiting":
            tasks.cancel(purge)
    if dataset.managed and hidden.exists():  # it may have been lost before it was removed
        hidden.rename(path)
    dataset.removed, dataset.name, dataset.path = None, name, str(path)
    dataset.version += 1
    db.session.commit()
    return dataset


def purge_now(dataset_id: int) -> None:
    """Delete it for good without waiting, so that its disk is free at once."""
    _removed(dataset_id)
    purge = tasks.latest(_subject(dataset_id), KIND)
    if purge is not None and purge.state == "waiting":
        tasks.cancel(purge)
    tasks.start(KIND, _subject(dataset_id), {"dataset": dataset_id})


def run(work: Work) -> dict[str, Any]:
    """The task ``dataset.purge``. Deletes a folder only where it bears the hidden name."""
    with work.database():
        dataset = db.session.get(Dataset, work.arguments["dataset"])
        if dataset is None or dataset.removed is None:
            return {}
        path = Path(dataset.path)
        root = work.settings.datasets_dir
        if dataset.managed and path.parent == root and path.name.startswith(_HIDDEN):
            # What cannot be deleted is told, and stays on the list of the deleted.
            with contextlib.suppress(FileNotFoundError):
                # What a link leads to is not ours.
                path.unlink() if path.is_symlink() else shutil.rmtree(path)
        cached.forget(work.settings, dataset.id)
        uploads.Uploads(work.settings.data_dir, dataset.id).forget_all()
        db.session.delete(dataset)
        db.session.commit()
    return {}


def _subject(dataset_id: int) -> str:
    return f"dataset-removed:{dataset_id}"


def _removed(dataset_id: int) -> Dataset:
    found = db.session.get(Dataset, dataset_id, populate_existing=True)
    if found is None or found.removed is None:
        raise NotFoundError("That dataset is not among the deleted ones (any more).")
    return found
