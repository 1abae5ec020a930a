"""Every change that a person makes to a dataset, one row each, that can be taken back.

The row is written before the first file is touched, with what each file was and is to be. So a
restart in the middle leaves nothing unknown: ``settle`` goes on where it ended, ``undo`` goes back.
What an edit removes or replaces lies in ``.trash/<edit>/`` of the dataset. Needs a context.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app import tasks
from app.datasets import refreshing
from app.datasets.holding import BACKGROUND_SECONDS, PATIENCE_SECONDS, TRASH, exclusive
from app.datasets.steps import Step, changed_since, redo, revert
from app.db import db
from app.errors import ConflictError, NotFoundError, UserError
from app.models import Dataset, DatasetEdit

MOST_AT_ONCE = 300
"""Edits of more files than this are carried out in the background."""
TASK = "dataset.edit"
DRAWING_TASK = "dataset.fix"
"""Draws the pictures of an edit, for as long as that takes."""
_MERGED_SECONDS = 600.0
_ABANDONED_SECONDS = 600.0
"""An edit whose pictures were begun longer ago, with nobody drawing, was cut by a restart."""

Progress = Callable[[int, int], None]


def get(dataset: Dataset, edit_id: int) -> DatasetEdit:
    """Raises NotFoundError."""
    edit = db.session.get(DatasetEdit, edit_id, populate_existing=True)
    if edit is None or edit.dataset_id != dataset.id:
        raise NotFoundError(f"There is no edit {edit_id} of {dataset.name} (any more).")
    return edit


def latest(dataset: Dataset, limit: int = 20) -> Sequence[DatasetEdit]:
    """The newest edits first."""
    query = select(DatasetEdit).where(DatasetEdit.dataset_id == dataset.id)
    query = query.order_by(DatasetEdit.id.desc()).limit(limit)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def steps_of(edit: DatasetEdit) -> list[Step]:
    """What it does to each file."""
    return [Step.read(words) for words in json.loads(edit.changes)]


def trash_of(folder: Path, edit: DatasetEdit) -> Path:
    """Where what it removed is kept."""
    return folder / TRASH / str(edit.id)


def make(
    dataset: Dataset,
    kind: str,
    summary: str,
    steps: Sequence[Step],
    *,
    background: bool = True,
) -> DatasetEdit:
    """Write the edit down and carry it out; large ones in the background."""
    settle(dataset)
    edit = _add(dataset, kind, summary, steps, state="writing")
    return carry_out(dataset, edit, background=background)


def note(
    dataset: Dataset, kind: str, summary: str, steps: Sequence[dict[str, Any]], at: float
) -> None:
    """Write down an edit that somebody else carried out at that time; once, however often it is said."""
    mine = (DatasetEdit.dataset_id == dataset.id, DatasetEdit.kind == kind, DatasetEdit.at == at)
    if db.session.scalar(select(DatasetEdit.id).where(*mine)) is None:
        changes = [Step.read(words) for words in steps]
        _add(dataset, kind, summary, changes, state="done", at=at)


def carry_out(dataset: Dataset, edit: DatasetEdit, *, background: bool = True) -> DatasetEdit:
    """Do what is written down."""
    if background and len(steps_of(edit)) > MOST_AT_ONCE:
        tasks.start(TASK, f"dataset:{dataset.id}", {"dataset": dataset.id})
        return edit
    _write(dataset, edit, lambda _done, _total: None, PATIENCE_SECONDS)
    return edit


def prepare(
    dataset: Dataset, kind: str, summary: str, build: Callable[[Path, Path], list[Step]]
) -> DatasetEdit:
    """An edit of pictures: ``build(folder, new)`` makes the new files in ``new`` and says the steps.

    Nothing of the dataset is touched while it builds.
    """
    settle(dataset)
    edit = _add(dataset, kind, summary, (), state="preparing")
    folder = Path(dataset.path)
    new = trash_of(folder, edit) / "new"
    try:
        with exclusive(dataset):
            new.mkdir(parents=True)
        steps = build(folder, new)
    except BaseException:
        _discard(dataset, edit)
        raise
    edit.changes = _json(steps)
    edit.state = "writing"
    db.session.commit()
    return edit


def settle(
    dataset: Dataset,
    progress: Progress = lambda _done, _total: None,
    *,
    wait: float = PATIENCE_SECONDS,
) -> None:
    """Bring edits to their end that a restart cut short; those of a task that runs are its own."""
    if wait < BACKGROUND_SECONDS and _is_busy(dataset, TASK):
        raise ConflictError(
            f"{dataset.name} is being changed in the background. Try again in a moment."
        )
    query = select(DatasetEdit).where(
        DatasetEdit.dataset_id == dataset.id, DatasetEdit.state != "done"
    )
    waiting = db.session.scalars(query.order_by(DatasetEdit.id)).all()
    for edit in waiting:
        if edit.state == "preparing":
            old = time.time() - edit.at > _ABANDONED_SECONDS
            if old and not _is_busy(dataset, DRAWING_TASK):
                _discard(dataset, edit)
        elif edit.state == "undoing":
            _revert(dataset, edit, progress, wait)
        else:
            _write(dataset, edit, progress, wait)


def undo(dataset: Dataset, edit: DatasetEdit, *, background: bool = True) -> None:
    """Take it back whole, or not at all: what was changed since is named and nothing is done."""
    if edit.undone:
        raise ConflictError("This was undone already.")
    if edit.state == "preparing":
        if _is_busy(dataset, DRAWING_TASK):
            raise ConflictError("Its pictures are still being drawn. Undo it when that is over.")
        _discard(dataset, edit)
        return
    folder = Path(dataset.path)
    with exclusive(dataset):
        trash = trash_of(folder, edit)
        names = [step.name for step in steps_of(edit) if changed_since(folder, trash, step)]
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise ConflictError(
                f"Changed since: {', '.join(names[:5])}{more}. Undo the later edits first, or set "
                "these right by hand. Nothing was undone."
            )
        edit.state = "undoing"
        db.session.commit()
    if background and len(steps_of(edit)) > MOST_AT_ONCE:
        tasks.start(TASK, f"dataset:{dataset.id}", {"dataset": dataset.id})
        return
    _revert(dataset, edit, lambda _done, _total: None, PATIENCE_SECONDS)


def _is_busy(dataset: Dataset, kind: str) -> bool:
    return any(task.kind == kind for task in tasks.active_of(f"dataset:{dataset.id}"))


def merge_or_make(dataset: Dataset, summary: str, step: Step) -> DatasetEdit:
    """One caption edited by hand: what is typed within minutes is one edit, undone as one.

    The caller holds the dataset (``exclusive``) and writes the file after this.
    """
    last = next(iter(latest(dataset, 1)), None)
    if last is not None and last.kind == "caption" and not last.undone and last.state == "done":
        (before,) = steps_of(last)
        recent = time.time() - last.at < _MERGED_SECONDS
        if recent and before.name == step.name and before.after == step.before:
            step = Step(name=step.name, item=step.item, before=before.before, after=step.after)
            last.changes, last.at = _json([step]), time.time()
            db.session.commit()
            return last
    return _add(dataset, "caption", summary, [step], state="done")


def _write(dataset: Dataset, edit: DatasetEdit, progress: Progress, wait: float) -> None:
    kept: list[Step] = []
    left: list[Step] = []
    with _broken_off(), exclusive(dataset, seconds=wait) as folder:
        db.session.refresh(edit)
        if edit.state != "writing":
            return  # whoever held it did it
        steps = steps_of(edit)
        trash = trash_of(folder, edit)
        for number, step in enumerate(steps, 1):
            (kept if redo(folder, trash, step) else left).append(step)
            progress(number, len(steps))
        os.sync()
        refreshing.after(dataset, edit, kept)
        if left:
            names = ", ".join(step.name for step in left[:3])
            edit.summary += f" ({len(left)} left alone, changed meanwhile: {names})"
            edit.changes = _json(kept)
        edit.state = "done"
        db.session.commit()


def _revert(dataset: Dataset, edit: DatasetEdit, progress: Progress, wait: float) -> None:
    with _broken_off(), exclusive(dataset, seconds=wait) as folder:
        db.session.refresh(edit)
        if edit.state != "undoing":
            return  # whoever held it did it
        steps = steps_of(edit)
        trash = trash_of(folder, edit)
        for number, step in enumerate(reversed(steps), 1):
            revert(folder, trash, step)
            progress(number, len(steps))
        os.sync()
        refreshing.after(dataset, edit, [step.reversed() for step in steps])
        edit.state, edit.undone = "done", True
        db.session.commit()


def forget_step(edit: DatasetEdit, there: str | None) -> None:
    """Of a caption that could not be written: the edit says again what the file holds."""
    (step,) = steps_of(edit)
    if step.before == there:
        db.session.delete(edit)
    else:
        edit.changes = _json([Step(step.name, step.item, step.before, there)])
    db.session.commit()


@contextmanager
def _broken_off() -> Iterator[None]:
    """A full disk in the middle: the edit stays as unfinished, to be gone on with or undone."""
    try:
        yield
    except OSError as error:
        db.session.rollback()
        raise UserError(
            f"It broke off: {error.strerror or error} ({error.filename}). What was done so far is "
            "listed under Edits as not finished: set it right, then go on with it or undo it."
        ) from error


def _add(
    dataset: Dataset,
    kind: str,
    summary: str,
    steps: Sequence[Step],
    *,
    state: str,
    at: float | None = None,
) -> DatasetEdit:
    edit = DatasetEdit(
        dataset_id=dataset.id, at=time.time() if at is None else at, kind=kind, summary=summary,
        changes=_json(steps), state=state,
    )  # fmt: skip
    db.session.add(edit)
    db.session.commit()
    return edit


def _discard(dataset: Dataset, edit: DatasetEdit) -> None:
    """Forget an edit that touched nothing."""
    shutil.rmtree(trash_of(Path(dataset.path), edit), ignore_errors=True)
    db.session.delete(edit)
    db.session.commit()


def _json(steps: Sequence[Step]) -> str:
    words: list[dict[str, Any]] = [step.written() for step in steps]
    return json.dumps(words, ensure_ascii=False)
