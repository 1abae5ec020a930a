"""Saves one caption that somebody typed, unless it was changed meanwhile by somebody else."""

from __future__ import annotations

from dataclasses import dataclass

from app.datasets import captions, editing, refreshing
from app.datasets.holding import exclusive
from app.datasets.steps import Step
from app.db import db
from app.errors import ConflictError, NotFoundError, UserError
from app.models import Dataset, DatasetItem


@dataclass(frozen=True)
class Saved:
    """A caption as it is now, and the edit that made it; 0 where nothing changed."""

    text: str | None
    version: str
    edit: int


class CaptionConflictError(ConflictError):
    """The caption on disk is not the one that was edited. Nothing was written."""

    def __init__(self, name: str, theirs: str | None) -> None:
        super().__init__(
            f"The caption of {name} was changed elsewhere meanwhile. Nothing was overwritten: "
            "choose one of the two texts."
        )
        self.theirs = theirs
        self.version = captions.version_of(theirs)


def item(dataset: Dataset, item_id: int) -> DatasetItem:
    """Raises NotFoundError, also for one in the trash."""
    found = db.session.get(DatasetItem, item_id, populate_existing=True)
    if found is None or found.dataset_id != dataset.id or found.trashed:
        raise NotFoundError(f"There is no picture {item_id} in {dataset.name} (any more).")
    return found


def name_of(dataset: Dataset, found: DatasetItem) -> str:
    """The file that holds, or will hold, its caption."""
    if found.caption_name:
        return found.caption_name
    stem = found.name[: found.name.rfind(".")] if "." in found.name else found.name
    return stem + dataset.caption_extension


def save(dataset: Dataset, found: DatasetItem, typed: str, based_on: str) -> Saved:
    """Write ``typed`` if the file still is the version that it was based on."""
    text = captions.tidy(typed)
    name = name_of(dataset, found)
    with exclusive(dataset) as folder:
        path = folder / name
        there = captions.read(path)
        if captions.tidy(there or "") == text and (text is not None or there is None):
            return Saved(there, captions.version_of(there), 0)
        if captions.version_of(there) != based_on:
            raise CaptionConflictError(found.name, there)
        step = Step(name, found.id, before=there, after=text)
        edit = editing.merge_or_make(dataset, f"Caption of {found.name}", step)
        try:
            captions.write(path, text)
        except OSError as error:
            editing.forget_step(edit, there)
            raise UserError(
                f"The caption of {found.name} could not be written: {error.strerror}."
            ) from error
        refreshing.write_caption(dataset, step)
        dataset.version += 1
        refreshing.recount(dataset)
        db.session.commit()
        return Saved(text, captions.version_of(text), edit.id)
