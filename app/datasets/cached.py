"""What DATA_DIR/cache holds of each dataset: a folder of thumbnails and the lock of its scans."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from app.settings import Settings

_LITTER_SECONDS = 24 * 3600.0


def thumbnails_of(settings: Settings, dataset_id: int) -> Path:
    """Its folder of thumbnails. One inside belongs to an import that goes on."""
    return _thumbnails(settings) / str(dataset_id)


def scan_lock_of(settings: Settings, dataset_id: int) -> Path:
    """Held by the process that scans it."""
    return settings.cache_dir / f"scan-{dataset_id}.lock"


def forget(settings: Settings, dataset_id: int) -> None:
    """Remove all of a dataset that is gone."""
    shutil.rmtree(thumbnails_of(settings, dataset_id), ignore_errors=True)
    scan_lock_of(settings, dataset_id).unlink(missing_ok=True)


def sweep(settings: Settings, known: Collection[int]) -> None:
    """Remove what belongs to no known dataset, and what imports left that nobody goes on with."""
    for folder in _folders(_thumbnails(settings)):
        if not folder.name.isdecimal() or int(folder.name) not in known:
            shutil.rmtree(folder, ignore_errors=True)
        for inner in _folders(folder):
            with contextlib.suppress(OSError):  # gone meanwhile
                if time.time() - inner.stat().st_mtime > _LITTER_SECONDS:
                    shutil.rmtree(inner, ignore_errors=True)
    wanted = {scan_lock_of(settings, number) for number in known}
    for lock in settings.cache_dir.glob("scan-*.lock"):
        if lock not in wanted:
            lock.unlink(missing_ok=True)


def _thumbnails(settings: Settings) -> Path:
    return settings.cache_dir / "thumbnails"


def _folders(folder: Path) -> Iterator[Path]:
    for child in sorted(folder.iterdir()) if folder.is_dir() else ():
        if child.is_dir():
            yield child
