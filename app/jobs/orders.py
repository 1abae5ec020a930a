"""Gives a running trainer the order to save or to draw samples, where it takes orders."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from app.jobs import launching, store
from app.jobs.rundir import AttemptDir, read_json
from app.models import Job

PATIENCE_SECONDS = 1.0
_WORDS = {"save-now": ("save_now", "save"), "sample-now": ("sample_now", "draw its samples")}


def give(job: Job, folder: AttemptDir) -> None:
    """Pass the job's wish on once. A control table that is busy is tried at the next tick."""
    key, words = _WORDS.get(job.wish, ("", ""))
    steps = (read_json(folder.root / launching.ACTIONS) or {}).get(key) or []
    if not steps:
        store.note(job, f"{job.engine} cannot {words or job.wish} when asked")
        store.change(job, wish="")
        return
    try:
        for step in steps:
            _write(step)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return
        store.note(
            job, f"it could not be asked to {words}: its control table is not as it was ({error})"
        )
    else:
        store.note(job, f"asked to {words} now")
    store.change(job, wish="")


def _write(step: dict[str, Any]) -> None:
    address = f"{Path(step['path']).as_uri()}?mode=rw"  # else one that is gone is made, empty
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
    ) as table:
        if table.execute(step["statement"], step["parameters"]).rowcount == 0:
            raise sqlite3.OperationalError("no row was changed")
