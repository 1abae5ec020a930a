"""The hidden folder in a dataset that an import gathers its files in, and when it goes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from app import tasks
from app.errors import NotFoundError

_PREFIX = ".incoming-"
_KEPT_SECONDS = 24 * 3600


def folder_of(root: Path, task_id: int) -> Path:
    """That of one import into the dataset at ``root``."""
    return root / f"{_PREFIX}{task_id}"


def sweep(root: Path) -> None:
    """Remove those that nobody will go on with: their import was dismissed, or ended a day ago."""
    for folder in root.glob(f"{_PREFIX}*"):
        try:
            task = tasks.get(int(folder.name.removeprefix(_PREFIX)))
        except (NotFoundError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
            continue
        if task.is_final and time.time() - (task.finished or 0) > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
