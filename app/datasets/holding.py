"""Holds a dataset alone, among all processes, while its files are changed."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.errors import ConflictError, UserError
from app.models import Dataset

TRASH = ".trash"
"""The folder in a dataset for what its edits took away; the lock lies there too."""
PATIENCE_SECONDS = 3.0
"""A request waits so long for an edit that runs; background work waits for as long as it takes."""
BACKGROUND_SECONDS = 86_400.0


@contextmanager
def exclusive(dataset: Dataset, *, seconds: float = PATIENCE_SECONDS) -> Iterator[Path]:
    """Hold the dataset alone, against other requests and background work; gives its folder.

    Raises ConflictError where it is held by somebody else for longer than ``seconds``.
    """
    folder = Path(dataset.path)
    trash = folder / TRASH
    try:
        trash.mkdir(exist_ok=True)
        lock = (trash / "lock").open("a")
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}), so nothing in it can be changed here."
        ) from error
    with lock:
        _take(lock, dataset, time.monotonic() + seconds)
        yield folder


def _take(lock: IO[str], dataset: Dataset, until: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise ConflictError(
                    f"{dataset.name} is being changed in the background. Try again in a moment."
                ) from None
            time.sleep(0.02)
