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


def keep_small(job: Job, path: Path, cap: int) -> None:
    """Give back the middle of a log that takes more than ``cap`` bytes of disk; 0 never does."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return
    tail = min(TAIL_BYTES, cap // 2)
    if not cap or stat.st_blocks * 512 <= cap or stat.st_size <= HEAD_BYTES + tail:
        return
    removed = punch(path, HEAD_BYTES, stat.st_size - tail)
    if removed:
        what = f"its first {HEAD_BYTES // 1_000_000} MB and its end are kept"
        store.note(job, f"the log grew beyond {cap / 1e6:.0f} MB (LOG_CAP_MB); {what}")


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
