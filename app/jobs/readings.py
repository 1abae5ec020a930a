"""How the GPUs of a run on another machine are doing: what scripts/gpu_readings.py wrote beside its log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.gpu import Gpu

_TAIL = 16_000
"""Bytes from the end that hold at least one whole line, of a machine with sixteen GPUs."""
OLD_SECONDS = 60.0
"""Nothing newer for so long means that the machine, or the shared filesystem, does not get through."""


@dataclass(frozen=True)
class Reading:
    """One line. Bytes, percent and epoch seconds; ``peak`` is the most GPU memory so far."""

    at: float
    node: str
    gpus: tuple[Gpu, ...]
    cpu: float
    cpus: int
    memory_used: int
    memory_total: int
    peak: int

    @property
    def is_old(self) -> bool:
        return time.time() - self.at > OLD_SECONDS


def latest(folder: Path) -> Reading | None:
    """The newest whole line of an attempt's folder; None where there is none, as on this machine."""
    for name in ("gpu.jsonl", "gpu.jsonl.1"):
        for line in reversed(_last_lines(folder / name)):
            try:
                return _reading(json.loads(line))
            except (ValueError, TypeError, LookupError, AttributeError):
                continue  # cut off, or being written just now: the one before is as good
    return None


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            return file.read().splitlines()
    except OSError:
        return []  # the shared filesystem may be away for a moment


def _reading(row: dict[str, Any]) -> Reading:
    return Reading(
        at=float(row["at"]),
        node=str(row["node"]),
        gpus=tuple(_gpu(one) for one in row["gpus"]),
        cpu=float(row["cpu"]),
        cpus=int(row["cpus"]),
        memory_used=int(row["memory_used"]),
        memory_total=int(row["memory_total"]),
        peak=int(row["peak"]),
    )


def _gpu(row: dict[str, Any]) -> Gpu:
    names = ("memory_total", "memory_used", "utilisation", "temperature", "power")
    told = {name: row[name] for name in names if isinstance(row[name], int | float)}
    return Gpu(int(row["index"]), "", str(row["name"]), **told)
