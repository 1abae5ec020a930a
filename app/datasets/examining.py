"""Reads every picture of a dataset whole: is it sound, which bytes, what does it look like.

Imported in the child of the report alone: imagehash brings scipy with it. What one picture showed
is kept in its row at once, so that a restart goes on with the rest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from sqlalchemy import select, update

from app.datasets import library, scanning
from app.datasets.seeing import READ_ERRORS, in_words
from app.datasets.similar import near_groups
from app.db import db
from app.models import Dataset, DatasetItem

_BATCH = 64
_SRGB_NAMES = ("srgb", "s rgb")
_FLAT = 2
"""Pictures that differ in fewer grey values than this show one colour: their hash says nothing."""


class Todo(NamedTuple):
    """A row that was not read since its file changed."""

    id: int
    name: str
    kind: str
    problem: str
    mtime_ns: int


def examine(dataset: Dataset, tell: Callable[[int, int], None]) -> int:
    """Look at what changed, then at which pictures are alike; returns how many were read."""
    scanning.scan(dataset)
    folder = library.folder(dataset)
    item = DatasetItem
    mine = (item.dataset_id == dataset.id, item.trashed == "")
    query = select(item.id, item.name, item.kind, item.problem, item.mtime_ns)
    todo = [Todo(*row) for row in db.session.execute(query.where(*mine, item.sha256 == ""))]
    tell(0, len(todo))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for begin in range(0, len(todo), _BATCH):
            some = todo[begin : begin + _BATCH]
            for row, values in zip(some, pool.map(lambda t: see(folder, t), some), strict=True):
                # A file that was changed meanwhile has a row of another time: it is left for later.
                db.session.execute(
                    update(item).where(item.id == row.id, item.mtime_ns == row.mtime_ns)
                    .values(**values)
                )  # fmt: skip
            db.session.commit()
            tell(begin + len(some), len(todo))
    _pair(dataset)
    return len(todo)


def see(folder: Path, todo: Todo) -> dict[str, Any]:
    """What one file showed, as values of its row."""
    path = folder / todo.name
    values: dict[str, Any] = {"sha256": "-", "phash": "", "traits": ""}
    try:
        with path.open("rb") as file:
            values["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        if todo.kind == "image" and path.stat().st_size:
            values |= _look(path)
    except READ_ERRORS as error:
        values["problem"] = in_words(error, path, todo.name)
    return values


def _look(path: Path) -> dict[str, Any]:
    import imagehash

    with Image.open(path) as image:
        traits = " ".join(_traits(image))
        width, height = image.size
        # Read to its end, so that a torn file is found; a JPEG drawn small costs a third.
        image.draft("L", (max(1, width // 8), max(1, height // 8)))
        image.load()
        whole = image.mode in ("RGB", "RGBA", "L")
        small = image.reduce(max(1, min(image.size) // 128)) if whole else image
        grey = small.convert("L")
        low, high = grey.getextrema()
        hashed = str(imagehash.phash(grey)) if high - low >= _FLAT else ""  # type: ignore[operator]
    return {"phash": hashed, "traits": traits, "problem": ""}


def _traits(image: Image.Image) -> Iterator[str]:
    """What of the pixels an engine may read otherwise than a person sees them."""
    if image.mode == "CMYK":
        yield "cmyk"
    if image.mode.startswith(("I", "F")):
        yield "16-bit"
    if getattr(image, "is_animated", False):
        yield "animated"
    profile = image.info.get("icc_profile")
    if profile and not _is_srgb(profile):
        yield "profile"


def _is_srgb(profile: bytes) -> bool:
    from io import BytesIO

    from PIL import ImageCms

    try:
        name = ImageCms.getProfileName(ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return True  # nobody can read it, so nobody applies it
    return any(word in name.lower() for word in _SRGB_NAMES)


def _pair(dataset: Dataset) -> None:
    """Give pictures that look alike, or are the same file, the number of the first of them."""
    item = DatasetItem
    mine = (item.dataset_id == dataset.id, item.trashed == "")
    rows = db.session.execute(
        select(item.id, item.sha256, item.phash).where(*mine, item.sha256.not_in(("", "-")))
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
    for key, first in twins.items():
        db.session.execute(update(item).where(item.id == key).values(twin=first))
    dataset.version += 1
    db.session.commit()
