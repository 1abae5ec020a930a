"""Keeps a flooding log from filling the disk: its middle is given back, its offsets stay.

A hole is punched into the file, so that the writer goes on undisturbed and every byte offset
that a reader holds stays right; the removed bytes read as NUL.
"""

from __future__ import annotations

import ctypes
import logging
import os
from pathlib import Path

from app.jobs import store
from app.models import Job

log = logging.getLogger(__name__)

HEAD_BYTES = 1_000_000
TAIL_BYTES = 8_000_000
_PUNCH_HOLE_KEEP_SIZE = 0x03
_refused: set[Path] = set()
"""Logs on a filesystem that gives nothing back: asked once, not each second."""


def keep_small(job: Job, path: Path, cap: int) -> None:
    """Give back the middle of a log that takes more than ``cap`` bytes of disk; 0 never does."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return
    head, tail = min(HEAD_BYTES, cap // 4), min(TAIL_BYTES, cap // 2)
    kept = head + tail + 2 * stat.st_blksize
    if not cap or path in _refused or stat.st_blocks * 512 <= max(cap, kept):
        return
    told = _has_hole(path, stat.st_size)
    if not punch(path, head, stat.st_size - tail):
        _refused.add(path)
    elif not told:
        what = f"its first {head / 1e6:.3g} MB and its end are kept"
        store.note(job, f"the log grew beyond {cap / 1e6:.3g} MB (LOG_CAP_MB); {what}")


def _has_hole(path: Path, size: int) -> bool:
    """Whether its middle was given back before: that is told once, however often it happens."""
    with path.open("rb") as log:
        return os.lseek(log.fileno(), 0, os.SEEK_HOLE) < size


def punch(path: Path, start: int, end: int) -> int:
    """Give back the bytes from ``start`` to ``end``; how many, or 0 where it cannot be done."""
    if end <= start:
        return 0
    library = ctypes.CDLL(None, use_errno=True)
    library.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    handle = os.open(path, os.O_WRONLY)
    try:
        if library.fallocate(handle, _PUNCH_HOLE_KEEP_SIZE, start, end - start):
            log.warning(
                "%s: the middle cannot be given back: %s", path, os.strerror(ctypes.get_errno())
            )
            return 0
    finally:
        os.close(handle)
    return end - start
