"""Since when this machine runs, as its container sees it: the life of process 1."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@cache
def boot() -> str:
    """Names this start of the container: a stop and a start give another one."""
    try:
        kernel = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{kernel}.{_ticks_of_first()}"
    except (OSError, ValueError, IndexError):
        return "unknown"


@cache
def started() -> float:
    """When it started, in epoch seconds; now where that cannot be told."""
    try:
        up = float((_PROC / "uptime").read_text("ascii").split()[0])
        age = up - _ticks_of_first() / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.time()
    return time.time() - max(0.0, age)


def _ticks_of_first() -> int:
    text = (_PROC / "1/stat").read_text("utf-8", "replace")
    return int(text.rpartition(")")[2].split()[19])
