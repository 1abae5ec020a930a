"""Goes through the pictures of a dataset that were not read since they changed, for the health
report or for the thumbnails: whichever comes first reads them for both.

What one picture showed is kept in its row at once, so that a restart goes on with the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from app.datasets import library, reading, scanning, thumbnails
from app.datasets.similar import near_groups
from app.datasets.threads import each
from app.db import db
from app.models import Dataset, DatasetItem
from app.settings import Settings

_BATCH = 64
_KEEP_SECONDS = 1.0
"""A restart reads again at most what was seen for so long."""

Tell = Callable[[int, int], None]


class Todo(NamedTuple):
    """The row of a file; ``thumb`` is where its thumbnail is missing."""

    id: int
    name: str
    kind: str
    size: int
    mtime_ns: int
    sha256: str
    problem: str
    thumb: Path | None = None


def examine(dataset: Dataset, tell: Tell) -> int:
    """Look at what changed, then at which pictures are alike; returns how many were read."""
    scanning.scan(dataset)
    read, _ = _read(dataset, _rows(dataset, DatasetItem.sha256 == ""), tell)
    pair(dataset)
    return read


def draw_missing(settings: Settings, dataset: Dataset, tell: Tell) -> dict[str, int]:
    """Make the thumbnails that are missing, and keep what else was seen on the way."""
    read, broken = _read(dataset, undrawn(settings, dataset, sweep=True), tell)
    # Also where nothing was left to read: a try that was killed may have read it and paired nothing.
    pair(dataset)
    return {"made": read - broken, "broken": broken}


def undrawn(settings: Settings, dataset: Dataset, *, sweep: bool = False) -> list[Todo]:
    """The pictures that have no thumbnail; ``sweep`` removes thumbnails that belong to none."""
    rows = [
        row._replace(
            thumb=thumbnails.path_of(settings, dataset.id, row.name, row.mtime_ns, row.size)
        )
        for row in _rows(dataset, DatasetItem.kind == "image", DatasetItem.problem == "")
    ]
    if sweep:
        thumbnails.sweep(settings, dataset, (row.thumb for row in rows if row.thumb))
    return [row for row in rows if row.thumb and not row.thumb.exists()]


def _rows(dataset: Dataset, *which: Any) -> list[Todo]:
    item = DatasetItem
    columns = (item.id, item.name, item.kind, item.size, item.mtime_ns, item.sha256, item.problem)
    query = select(*columns).where(item.dataset_id == dataset.id, item.trashed == "", *which)
    return [Todo(*row) for row in db.session.execute(query)]


def _read(dataset: Dataset, todo: Sequence[Todo], tell: Tell) -> tuple[int, int]:
    """Read each whole and write down what it showed; how many were there, and are broken."""
    folder, read, broken = library.folder(dataset), 0, 0
    fresh: list[tuple[Todo, dict[str, Any]]] = []
    kept = time.monotonic()

    def see(row: Todo) -> dict[str, Any]:
        return reading.read(folder / row.name, row.name, row.kind, thumb=row.thumb)

    tell(0, len(todo))
    for done, (row, values) in enumerate(each(see, todo), 1):
        if values:  # none: it is gone
            read += 1
            broken += bool(values["problem"])
            fresh.append((row, values))
        due = len(fresh) >= _BATCH or time.monotonic() - kept > _KEEP_SECONDS
        if due or done == len(todo):
            _keep(fresh)
            fresh, kept = [], time.monotonic()
            tell(done, len(todo))
    return read, broken


def _keep(fresh: Sequence[tuple[Todo, dict[str, Any]]]) -> None:
    """Write down what was seen, in one short transaction: nobody else can write meanwhile."""
    item = DatasetItem
    for row, values in fresh:
        # A file that was changed meanwhile has a row of another time: it is left for later.
        same = (item.id == row.id, item.mtime_ns == row.mtime_ns)
        db.session.execute(update(item).where(*same).values(**values))
    db.session.commit()


def pair(dataset: Dataset) -> None:
    """Give pictures that look alike, or are the same file, the number of the first of them."""
    item = DatasetItem
    mine = (item.dataset_id == dataset.id, item.trashed == "")
    rows = db.session.execute(
        select(item.id, item.sha256, item.phash).where(
            *mine, item.sha256.not_in(("", reading.UNREAD))
        )
    ).all()
    hashes: dict[int, int] = {}
    by_sum: dict[str, list[int]] = {}
    for key, digest, phash in rows:
        by_sum.setdefault(digest, []).append(key)
        if phash:
            hashes[key] = int(phash, 16)
    twins: dict[int, int] = {}
    same: Sequence[Sequence[int]] = [sorted(keys) for keys in by_sum.values() if len(keys) > 1]
    for group in (*same, *near_groups(hashes)):
        twins.update(dict.fromkeys(group, group[0]))
    db.session.execute(update(item).where(*mine, item.twin != 0).values(twin=0))
    if twins:
        table = DatasetItem.__table__
        each_one = (
            update(table).where(table.c.id == bindparam("key")).values(twin=bindparam("first"))
        )
        db.session.connection().execute(
            each_one, [{"key": key, "first": first} for key, first in twins.items()]
        )
    dataset.version += 1
    db.session.commit()
