"""Forgets jobs with everything in their folders, also where a deletion was cut off half-way."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

from app.errors import ConflictError, UserError
from app.jobs import store
from app.jobs.rundir import RunDir
from app.models import Job
from app.platform import current

log = logging.getLogger(__name__)

_GOING = ".deleted-"
"""Before the number in the name of a folder that is being removed."""


def delete(job: Job) -> None:
    """Forget a job that is not active, and remove its folder. Raises ConflictError, or UserError
    that names what stayed on the disk.

    The row goes first: a folder without a row is litter, a row without its folder a lie.
    """
    number, folder = job.id, RunDir(current().settings.jobs_dir / str(job.id)).root
    if not store.delete(job):
        state = store.get(number).state
        raise ConflictError(f"Job {number} is {state}. Stop it first, then delete it.")
    gone = folder.with_name(f"{_GOING}{folder.name}")
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _left(number, folder, error.strerror) from error
    shutil.rmtree(gone, ignore_errors=True)
    if gone.exists():
        raise _left(number, gone, "a part of it could not be removed")


def _left(number: int, folder: Path, why: str | None) -> UserError:
    return UserError(
        f"Job {number} is deleted, but its folder {folder} is still there: {why}. "
        "Remove it by hand to have its disk space back."
    )


class Watcher:
    """Called by the supervisor at each of its ticks; costs nothing after the first."""

    def __init__(self) -> None:
        self._done = False

    def tick(self) -> None:
        """Remove, beside the ticks, what a program that was killed had begun to remove."""
        if self._done:
            return
        self._done = True
        left = list(current().settings.jobs_dir.glob(f"{_GOING}*"))
        if left:
            threading.Thread(target=_remove, args=(left,), name="deleting", daemon=True).start()


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        log.info("%s: its deletion was cut off; it goes on", folder)
        shutil.rmtree(folder, ignore_errors=True)
