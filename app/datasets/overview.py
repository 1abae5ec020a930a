"""What the list of datasets shows: counts, the first pictures, what is wrong, what is being done."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app import tasks
from app.datasets import library, scanning
from app.db import db
from app.errors import UserError
from app.models import Dataset, DatasetItem, Task

PAGE_SIZE = 48
_REFRESH_SECONDS = 0.4


@dataclass(frozen=True)
class Card:
    """One dataset in the list. ``warnings`` are sentences without a full stop."""

    dataset: Dataset
    first: Sequence[DatasetItem]
    warnings: tuple[str, ...]
    work: tuple[Task, ...]


@dataclass(frozen=True)
class View:
    """One page of the list. ``version`` grows with whatever it shows."""

    cards: tuple[Card, ...]
    count: int
    page: int
    pages: int
    busy: bool
    version: str


def page(search: str, number: int) -> View:
    """The datasets whose name holds ``search``, by name."""
    found = library.all(search)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(number, pages)
    shown = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    lost = refresh(shown)
    work: dict[str, list[Task]] = {}
    for task in tasks.active("dataset."):
        work.setdefault(task.subject, []).append(task)
    broken, bare = _counts(shown)
    cards = tuple(
        Card(
            dataset,
            _first(dataset),
            _warnings(dataset, broken.get(dataset.id, 0), bare.get(dataset.id, 0), lost),
            tuple(work.get(f"dataset:{dataset.id}", ())),
        )
        for dataset in shown
    )
    told = [f"{c.dataset.id}.{c.dataset.version}" for c in cards]
    told += [f"t{task.id}.{task.version}" for card in cards for task in card.work]
    version = f"{zlib.crc32('.'.join(told).encode()):x}"
    return View(cards, len(found), number, pages, any(card.work for card in cards), version)


def refresh(shown: Sequence[Dataset]) -> set[int]:
    """Look again at folders that changed on top, for a moment only; those that are lost."""
    lost, begin = set(), time.monotonic()
    for dataset in shown:
        try:
            changed = os.stat(dataset.path).st_mtime >= (dataset.scanned or 0)
            if changed and time.monotonic() - begin < _REFRESH_SECONDS:
                scanning.refresh(dataset)
        except (OSError, UserError):
            lost.add(dataset.id)
    return lost


def _counts(shown: Sequence[Dataset]) -> tuple[dict[int, int], dict[int, int]]:
    """By dataset: how many cannot be read, and how many pictures have no caption."""
    item = DatasetItem
    mine = (item.dataset_id.in_([d.id for d in shown]), item.trashed == "")

    def count(*what: object) -> dict[int, int]:
        rows = db.session.execute(
            select(item.dataset_id, func.count()).where(*mine, *what).group_by(item.dataset_id)  # type: ignore[arg-type]
        )
        return {row[0]: row[1] for row in rows}

    return count(item.problem != ""), count(item.caption.is_(None), item.kind != "sound")


def _first(dataset: Dataset) -> Sequence[DatasetItem]:
    item = DatasetItem
    query = select(item).where(
        item.dataset_id == dataset.id, item.kind == "image", item.problem == "", item.trashed == ""
    )
    return db.session.scalars(query.order_by(item.name).limit(4)).all()


def _warnings(dataset: Dataset, broken: int, bare: int, lost: set[int]) -> tuple[str, ...]:
    if dataset.id in lost:
        return (f"Its folder {dataset.path} is not there",)
    warnings = []
    if broken:
        warnings.append(f"{broken} cannot be read")
    if bare and dataset.captions:
        warnings.append(f"{bare} without a caption")
    elif bare:
        warnings.append("no captions yet")
    return tuple(warnings)
