"""DATA_DIR/cache holds what can be made again, such as thumbnails. It is kept below a size that a
person sets, by the work ``cache.prune``: begun by itself a few times a day, and from the Machine page.
It also removes what uploads, imports and other work left that nobody goes on with.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field
from sqlalchemy import select

from app import tasks
from app.datasets import cached, uploads
from app.datasets.importing import staging
from app.db import db
from app.models import Dataset, Task
from app.preferences import Preferences, load
from app.tasks import Work, litter

KIND = "cache.prune"
SUBJECT = "cache"
EVERY_SECONDS = 6 * 3600.0
UNUSED_SECONDS = 90 * 24 * 3600.0
"""What nobody looked at for so long goes, also where there is room."""
_ROOM = 0.9
"""A cache that is too large is brought down to this part of its limit, not to the limit itself."""
_FIRST_SECONDS = 120.0


class CachePreferences(Preferences):
    """How large the cache may become."""

    limit_gb: float = Field(5.0, ge=0.1, le=10_000)


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    used: float


class Watcher:
    """Has the cache looked through now and then; costs nothing in between."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _FIRST_SECONDS

    def tick(self) -> None:
        """One look. Needs an application context."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            start()


def start() -> Task:
    """Have it looked through, unless that waits or runs already."""
    before = tasks.latest(SUBJECT, KIND)
    if before is not None and not before.is_final:
        return before
    return tasks.start(KIND, SUBJECT)


def run(work: Work) -> dict[str, Any]:
    """The task ``cache.prune``: what belongs to nothing goes, then what was not used the longest."""
    cache = work.settings.cache_dir
    with work.database():
        limit = load(CachePreferences).limit_gb * 1e9
        known = set(db.session.scalars(select(Dataset.id)))
        for path in db.session.scalars(select(Dataset.path)):
            staging.sweep(Path(path))
        litter.sweep(work.settings)
    uploads.clean(work.settings.data_dir)
    before = sum(file.size for file in _files(cache))
    cached.sweep(work.settings, known)
    files = sorted(_files(cache), key=lambda file: file.used)
    size, removed, oldest = sum(file.size for file in files), 0, time.time() - UNUSED_SECONDS
    wanted = limit * _ROOM if size > limit else limit
    for done, file in enumerate(files):
        if size <= wanted and file.used >= oldest:
            break
        with contextlib.suppress(OSError):
            os.unlink(file.path)
            size, removed = size - file.size, removed + 1
        work.progress(done, len(files), unit="files")
    return {"bytes": size, "files": len(files) - removed, "freed": before - size}


def _files(cache: Path) -> Iterator[_File]:
    for folder, _, names in os.walk(cache):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):  # gone meanwhile
                stat = os.stat(path, follow_symlinks=False)
                if not name.endswith(".lock"):
                    yield _File(path, stat.st_size, max(stat.st_atime, stat.st_mtime))
