"""Fixes of the health report that are mechanical, each one edit that can be undone."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from sqlalchemy import select

from app import pillow, tasks
from app.datasets import bulk, captions, editing, grid, health, pictures, pixels
from app.datasets.seeing import is_full
from app.datasets.steps import Step
from app.datasets.walking import walk
from app.db import db
from app.errors import UserError
from app.models import Dataset, DatasetEdit, DatasetItem, Task

KIND = editing.DRAWING_TASK
DRAWING = ("turn", "to_rgb", "convert")
"""Fixes that take longer than a request may."""
MOVING = frozenset({"lower_endings", "part_names", "remove_duplicates", "turn", "to_rgb"})
"""Fixes after which a picture that trains is not where, or not what, it was."""
MOST_DRAWN = 1000
"""So many pictures are drawn anew by one click; the next click goes on."""


def fix(dataset: Dataset, key: str) -> DatasetEdit | None:
    """Put one kind of finding right; None where there is nothing (any more)."""
    if key not in FIXES:
        raise UserError(f"There is no fix {key[:50]!r}. There are: {', '.join(FIXES)}.")
    return FIXES[key][1](dataset)


def order(dataset: Dataset, key: str) -> tuple[DatasetEdit | None, Task | None]:
    """The same for a request: what draws pictures is left to a task, one that is at it already
    if there is one. Fixes of different kinds wait for each other."""
    if key not in DRAWING:
        return fix(dataset, key), None
    subject, wanted = f"dataset:{dataset.id}", {"dataset": dataset.id, "fix": key}
    for task in tasks.active_of(subject):
        if task.kind == KIND and json.loads(task.arguments) == wanted:
            return None, task
    return None, tasks.start(KIND, subject, wanted)


def _items(dataset: Dataset, names: Sequence[str]) -> Sequence[DatasetItem]:
    chosen = set(names)
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset.id, DatasetItem.trashed == ""
    )
    return [row for row in db.session.scalars(query) if row.name in chosen]


def _names(dataset: Dataset, *keys: str) -> list[str]:
    found = health.examine(dataset, grid.RESOLUTION).findings
    # Each once: pictures of one stem share a caption.
    return list(dict.fromkeys(name for f in found if f.key in keys for name in f.names))


def _delete_empty(dataset: Dataset) -> DatasetEdit | None:
    query = select(DatasetItem.id, DatasetItem.caption, DatasetItem.caption_name).where(
        DatasetItem.dataset_id == dataset.id,
        DatasetItem.trashed == "",
        DatasetItem.caption.is_not(None),
    )
    steps = [
        Step(name, key, before=text, after=None)
        for key, text, name in db.session.execute(query)
        if not (text or "").strip()
    ]
    # A step for each row, also where two pictures share the file.
    count = len({step.name for step in steps})
    return _make(dataset, "delete_empty", f"{count} empty caption files deleted", steps)


def _lower_endings(dataset: Dataset) -> DatasetEdit | None:
    names = _names(dataset, "case", "upper")
    ids = {item.name: item.id for item in _items(dataset, names)}
    steps = []
    for name in names:
        stem, ending = os.path.splitext(name)
        steps.append(Step(name, ids.get(name, 0), file=True, becomes=stem + ending.lower()))
    return _make(dataset, "lower_endings", f"{len(steps)} endings in lower case", steps)


def _reencode(dataset: Dataset) -> DatasetEdit | None:
    """Captions that are not UTF-8, as what they most likely were; the old bytes are kept."""
    names = _names(dataset, "encoding")
    if not names:
        return None

    def build(folder: Path, new: Path) -> list[Step]:
        steps = []
        for name in names:
            text, _plain = captions.guess((folder / name).read_bytes())
            target = new / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(captions.tidy(text) or text, "utf-8", newline="")
            steps.append(Step.made_from(name, new, target))
        return steps

    edit = editing.prepare(dataset, "encoding", f"{len(names)} captions saved as UTF-8", build)
    return editing.carry_out(dataset, edit)


def _own_ending(dataset: Dataset) -> DatasetEdit | None:
    """Captions under another ending get the one that this dataset is set to."""
    own = dataset.caption_extension
    steps = [
        Step(name, file=True, becomes=os.path.splitext(name)[0] + own)
        for name in _names(dataset, "ending")
    ]
    return _make(dataset, "ending", f"{len(steps)} captions renamed to {own}", steps)


def _part_names(dataset: Dataset) -> DatasetEdit | None:
    """Of names that differ in case alone each but the first gets a number, its caption with it."""
    names = _names(dataset, "clash")
    files = [file.name for file in walk(Path(dataset.path), recursive=True).files]
    taken = {os.path.splitext(name)[0].casefold() for name in files}
    ids = {item.name: item.id for item in _items(dataset, names)}
    first: dict[str, str] = {}
    stems: dict[str, str] = {}
    steps = []
    for name in names:
        stem, ending = os.path.splitext(name)
        if stem not in stems and first.setdefault(name.casefold(), name) == name:
            continue
        if stem not in stems:
            number = 2
            while f"{stem} ({number})".casefold() in taken:
                number += 1
            stems[stem] = f"{stem} ({number})"
            taken.add(stems[stem].casefold())
        steps.append(Step(name, ids.get(name, 0), file=True, becomes=stems[stem] + ending))
    kept = {os.path.splitext(name)[0] for name in first.values()}
    for name in set(files) - set(names):
        stem, ending = os.path.splitext(name)
        if stem in stems and stem not in kept:
            steps.append(Step(name, file=True, becomes=stems[stem] + ending))
    return _make(dataset, "clash", f"{len(steps)} files renamed", steps)


def _trigger(dataset: Dataset) -> DatasetEdit | None:
    operation = bulk.Operation("trigger", dataset.trigger_word)
    there = [entry for entry in grid.entries(dataset, grid.View()) if (entry.caption or "").strip()]
    changes = bulk.changes(operation, there)
    names = grid.caption_names(dataset, [change.entry.id for change in changes])
    steps = [Step(names[c.entry.id], c.entry.id, c.entry.caption, c.after) for c in changes]
    count = len({step.name for step in steps})
    return _make(dataset, "trigger", f"{bulk.summary(operation)} ({count} captions)", steps)


def _remove_orphans(dataset: Dataset) -> DatasetEdit | None:
    steps = [Step(name, file=True) for name in _names(dataset, "orphans")]
    return _make(dataset, "remove_orphans", f"{len(steps)} captions without a picture", steps)


def _remove(key: str, title: str) -> Callable[[Dataset], DatasetEdit | None]:
    def run(dataset: Dataset) -> DatasetEdit | None:
        items = _items(dataset, _names(dataset, key))
        if not items:
            return None
        return pictures.remove(dataset, items, key, f"{len(items)} {title} deleted")

    return run


def _turn(dataset: Dataset) -> DatasetEdit | None:
    items = _items(dataset, _names(dataset, "turned"))[:MOST_DRAWN]
    if not items:
        return None
    return pictures.redraw(
        dataset, items, "turn", f"{len(items)} pictures turned as their EXIF says", lambda im: im
    )


def _to_rgb(dataset: Dataset) -> DatasetEdit | None:
    items = _items(dataset, _names(dataset, "cmyk", "profile", "alpha"))[:MOST_DRAWN]
    if not items:
        return None
    return pictures.redraw(
        dataset, items, "to_rgb", f"{len(items)} pictures as plain RGB", pixels.to_rgb,
        ending=lambda item: PurePosixPath(item.name).suffix,
    )  # fmt: skip


def _convert(dataset: Dataset) -> DatasetEdit | None:
    """Pictures in formats that no engine reads, as jpg or png; the originals are kept in the trash."""
    names = _names(dataset, "format")
    if not names:
        return None
    made: list[Step] = []
    texts: list[Step] = []

    def build(folder: Path, new: Path) -> list[Step]:
        taken = {file.name.casefold() for file in walk(folder, recursive=True).files}
        for name in names:
            own = os.path.splitext(name)[0]
            stem = _free_stem(own, taken, dataset.caption_extension)
            try:
                target = pixels.convert(folder / name, new / stem)
            except pillow.read_errors() as error:
                if is_full(error):
                    raise UserError(pictures.DISK_FULL) from error
                continue  # broken, or of a format that cannot be read here: it stays as it is
            made.append(Step.made_from(name, new, target))
            if stem != own:
                texts.extend(_same_caption(folder, own, stem, dataset.caption_extension))
            taken.add(target.relative_to(new).as_posix().casefold())
            if len(made) == MOST_DRAWN:
                break
        if not made:
            raise UserError(
                "None of them can be read here. Convert them elsewhere, or delete them."
            )
        return made + texts

    edit = editing.prepare(dataset, "convert", "Pictures as jpg or png", build)
    edit.summary = f"{len(made)} pictures as jpg or png"
    db.session.commit()
    return editing.carry_out(dataset, edit, background=False)


def _free_stem(stem: str, taken: set[str], caption_ending: str) -> str:
    """The stem, or with a number where another picture has its name: photo.heic beside photo.jpg."""
    chosen, number = stem, 2
    endings: tuple[str, ...] = (".jpg", ".png")
    while any(f"{chosen}{ending}".casefold() in taken for ending in endings):
        chosen, number = f"{stem} ({number})", number + 1
        endings = (".jpg", ".png", caption_ending)  # whose caption would it be else?
    return chosen


def _same_caption(folder: Path, stem: str, becomes: str, ending: str) -> Iterator[Step]:
    """A picture that gets another stem keeps its caption, which stays with the other picture, too."""
    with contextlib.suppress(UserError):  # no text: the report names it by itself
        text = captions.read(folder / f"{stem}{ending}")
        if text is not None:
            yield Step(f"{becomes}{ending}", after=text)


def _make(dataset: Dataset, kind: str, summary: str, steps: Sequence[Step]) -> DatasetEdit | None:
    return editing.make(dataset, kind, summary, steps) if steps else None


FIXES: dict[str, tuple[str, Callable[[Dataset], DatasetEdit | None]]] = {
    "delete_empty": ("Delete them", _delete_empty),
    "lower_endings": ("Lower their endings", _lower_endings),
    "reencode": ("Save them as UTF-8", _reencode),
    "own_ending": ("Rename them", _own_ending),
    "part_names": ("Rename all but the first", _part_names),
    "trigger": ("Put it in front", _trigger),
    "remove_orphans": ("Delete them", _remove_orphans),
    "remove_duplicates": ("Delete all but the first", _remove("same", "copies")),
    "remove_unreadable": ("Delete them", _remove("unreadable", "unreadable pictures")),
    "convert": ("Convert them", _convert),
    "turn": ("Turn them", _turn),
    "to_rgb": ("Make them plain RGB", _to_rgb),
}
"""By key: what the button says, and what it does."""
