"""Brings the rows to what an edit made of the files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select, update

from app.datasets import scanning
from app.datasets.steps import Step
from app.db import db
from app.models import Dataset, DatasetEdit, DatasetItem


def after(dataset: Dataset, edit: DatasetEdit, steps: Sequence[Step]) -> None:
    """The rows of these steps, which were done; commits nothing but what a scan has to."""
    for step in steps:
        if not step.file:
            write_caption(dataset, step)
        elif step.becomes is None:
            _set(step.item, trashed=str(edit.id))
        elif step.item:
            _set(step.item, name=step.becomes, trashed="", mtime_ns=0)
    dataset.version += 1
    # A file, or a caption of which only its name is known (an import's): the scan finds the row.
    if any(step.file or not step.item for step in steps):
        db.session.commit()
        scanning.scan(dataset)
    recount(dataset)


def write_caption(dataset: Dataset, step: Step) -> None:
    """The row of one caption, as its file is now."""
    path = Path(dataset.path) / step.name
    try:
        told = path.stat().st_mtime_ns if step.after is not None else 0
    except OSError:
        told = 0  # changed again meanwhile: the next scan reads it
    _set(
        step.item,
        caption=step.after,
        caption_name=step.name if step.after is not None else "",
        caption_mtime_ns=told,
    )


def recount(dataset: Dataset) -> None:
    """How many captions it has, for the list of datasets."""
    query = select(func.count()).where(
        DatasetItem.dataset_id == dataset.id,
        DatasetItem.trashed == "",
        DatasetItem.caption.is_not(None),
    )
    dataset.captions = db.session.scalar(query) or 0
    # Our own writing is no reason to look through the folder again at once.
    dataset.scanned = time.time()


def _set(item: int, **values: object) -> None:
    if item:
        db.session.execute(update(DatasetItem).where(DatasetItem.id == item).values(**values))
