"""Small pictures of a dataset's pictures, kept under DATA_DIR/cache; made beforehand or when asked for.

Named by what they show, so that a file that changed gets another one and a page may keep them for good.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageOps
from sqlalchemy import select, update

from app import tasks
from app.datasets import library
from app.datasets.seeing import READ_ERRORS, in_words
from app.db import db
from app.models import Dataset, DatasetItem
from app.settings import Settings
from app.tasks import Work

KIND = "dataset.thumbnails"
EDGE = 256
QUALITY = 76
_WORKERS = max(2, min(4, os.cpu_count() or 2))
"""Threads: Pillow lets go of the interpreter while it decodes, so processes would be no faster."""


class _Picture(NamedTuple):
    id: int
    name: str
    source: Path
    target: Path


def path_of(settings: Settings, dataset_id: int, name: str, mtime_ns: int, size: int) -> Path:
    """Where the thumbnail of a file of that time and size is, or would be."""
    told = hashlib.sha256(f"{name}\0{mtime_ns}\0{size}".encode()).hexdigest()[:32]
    return settings.data_dir / "cache" / "thumbnails" / str(dataset_id) / f"{told}.webp"


def make(source: Path, target: Path) -> None:
    """Draw one, turned as its EXIF says. Raises OSError or what Pillow raises for a broken picture."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        # A JPEG is decoded at the smallest size that is still large enough.
        image.draft("RGB", (EDGE, EDGE))
        image.thumbnail((EDGE, EDGE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        small = ImageOps.exif_transpose(image)
        if small.mode not in ("RGB", "RGBA"):
            alpha = small.mode in ("LA", "PA") or "transparency" in small.info
            small = small.convert("RGBA" if alpha else "RGB")
        new = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            small.save(new, "WEBP", quality=QUALITY, method=0)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)


def start(dataset: Dataset) -> None:
    """Have those made that are missing, unless that waits or runs already."""
    if all(task.is_final for task in tasks.find(f"dataset:{dataset.id}", KIND)):
        tasks.start(KIND, f"dataset:{dataset.id}", {"dataset": dataset.id})


def run(work: Work) -> dict[str, Any]:
    """The task ``dataset.thumbnails``: all that are missing. Those made stay when it is killed."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        pictures = _pictures(work.settings, dataset)
        _sweep(work.settings, dataset, pictures)
        missing = [picture for picture in pictures if not picture.target.exists()]
        broken = 0
        for done, (picture, problem) in enumerate(_made(missing), 1):
            work.progress(done, len(missing), unit="pictures")
            if problem:
                broken += 1
                db.session.execute(
                    update(DatasetItem)
                    .where(DatasetItem.id == picture.id)
                    .values(problem=problem[:200])
                )
        if broken:
            dataset.version += 1
        db.session.commit()
        return {"made": len(missing) - broken, "broken": broken}


def _made(pictures: list[_Picture]) -> Iterator[tuple[_Picture, str]]:
    """Make them; each with its problem, empty where there is none."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: list[tuple[_Picture, Future[str]]] = []
        for picture in pictures:
            waiting.append((picture, pool.submit(_attempt, picture)))
            # So many at once: a cancel does not wait for ten thousand.
            if len(waiting) >= 4 * _WORKERS:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _attempt(picture: _Picture) -> str:
    try:
        make(picture.source, picture.target)
    except FileNotFoundError:
        return ""  # gone meanwhile: the next scan drops its row
    except READ_ERRORS as error:
        return in_words(error, picture.source, picture.name)
    return ""


def _pictures(settings: Settings, dataset: Dataset) -> list[_Picture]:
    item = DatasetItem
    rows = db.session.execute(
        select(item.id, item.name, item.mtime_ns, item.size).where(
            item.dataset_id == dataset.id,
            item.kind == "image",
            item.trashed == "",
            item.problem == "",
        )
    )
    root = library.folder(dataset)
    return [
        _Picture(row_id, name, root / name, path_of(settings, dataset.id, name, mtime_ns, size))
        for row_id, name, mtime_ns, size in rows
    ]


def _sweep(settings: Settings, dataset: Dataset, pictures: list[_Picture]) -> None:
    """Remove thumbnails of files that changed or went; those in the trash are made again when needed."""
    folder = settings.data_dir / "cache" / "thumbnails" / str(dataset.id)
    wanted = {picture.target.name for picture in pictures}
    for path in folder.glob("*.webp") if folder.is_dir() else ():
        if path.name not in wanted:
            path.unlink(missing_ok=True)
