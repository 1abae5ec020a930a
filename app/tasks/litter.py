"""Files beside the rows of background work that nobody needs any more. Needs an application context."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from sqlalchemy import select

from app.db import db
from app.models import Task
from app.settings import Settings
from app.tasks.store import UNFINISHED
from app.tasks.work import log_path

KEPT_SECONDS = 90 * 24 * 3600.0


def sweep(settings: Settings) -> None:
    """Remove empty logs, old ones, and those of dismissed work; marks of what is over.

    Each piece of work opens a log, and most write nothing.
    """
    folder = log_path(settings, 0).parent
    # Before the rows: what begins meanwhile is not looked at.
    files = list(folder.iterdir()) if folder.is_dir() else []
    unfinished = {
        str(key) for key in db.session.scalars(select(Task.id).where(Task.state.in_(UNFINISHED)))
    }
    known = {str(key) for key in db.session.scalars(select(Task.id))}
    for path in files:
        if path.stem.isdecimal() and path.stem not in unfinished and _is_litter(path, known):
            path.unlink(missing_ok=True)


def _is_litter(path: Path, known: set[str]) -> bool:
    if path.suffix != ".log" or path.stem not in known:
        return True
    with contextlib.suppress(OSError):  # gone meanwhile
        stat = path.stat()
        return stat.st_size == 0 or time.time() - stat.st_mtime > KEPT_SECONDS
    return False
