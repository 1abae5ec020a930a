"""Processor, memory, disk and network of this machine, or of the container's share of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CGROUP = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 60
"""cgroup v1 writes a number of this size where there is no limit."""


@dataclass(frozen=True)
class Host:
    """Bytes, bytes per second, and percent of the processors that we may use; None: not told.

    ``memory_used`` leaves out what the system caches of files and would give back.
    """

    cpu: float | None
    cpus: float
    memory_used: int
    memory_total: int
    disk_used: int
    disk_total: int
    disk_read: float | None
    disk_written: float | None
    received: float | None
    sent: float | None


class HostMeter:
    """Reads the counters; rates are since the reading before. ``data`` lies on the volume shown."""

    def __init__(
        self, data: Path, cgroup: Path = _CGROUP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._data, self._cgroup, self._clock = data, cgroup, clock
        self._before: tuple[float, tuple[float, ...]] | None = None

    def read(self) -> Host:
        """Now. The first reading has no rates."""
        import psutil

        cpus = usable_cpus(self._cgroup)
        now, counters = self._clock(), _counters(psutil)
        rates: list[float | None] = [None] * 5
        if self._before is not None and now > self._before[0]:
            gone = now - self._before[0]
            rates = [
                max(0.0, (b - a) / gone) for a, b in zip(self._before[1], counters, strict=True)
            ]
        self._before = (now, counters)
        used, total = memory(self._cgroup, psutil)
        disk = os.statvfs(self._data)
        size = disk.f_blocks * disk.f_frsize
        return Host(
            cpu=None if rates[0] is None else min(100.0, 100 * rates[0] / cpus),
            cpus=cpus,
            memory_used=used,
            memory_total=total,
            disk_used=size - disk.f_bavail * disk.f_frsize,
            disk_total=size,
            disk_read=rates[1],
            disk_written=rates[2],
            received=rates[3],
            sent=rates[4],
        )


def _counters(psutil: Any) -> tuple[float, ...]:
    """Seconds of processor, bytes read, written, received and sent since the start of the system."""
    times = psutil.cpu_times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
    disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
    return (
        busy,
        disk.read_bytes if disk else 0,
        disk.write_bytes if disk else 0,
        net.bytes_recv if net else 0,
        net.bytes_sent if net else 0,
    )


def usable_cpus(cgroup: Path = _CGROUP) -> float:
    """Processors by affinity and by the container's quota: what a host shows says nothing."""
    count = float(len(os.sched_getaffinity(0)))
    quota = _words(cgroup / "cpu.max")
    if len(quota) != 2:
        quota = _words(cgroup / "cpu/cpu.cfs_quota_us") + _words(cgroup / "cpu/cpu.cfs_period_us")
    if len(quota) == 2 and quota[0] > 0 and quota[1] > 0:
        count = min(count, quota[0] / quota[1])
    return count


def memory(cgroup: Path, psutil: Any) -> tuple[int, int]:
    """Bytes in use and in all, of the container where it has a limit, else of the machine."""
    whole = psutil.virtual_memory()
    for limit, usage, stat in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        most, used = _words(cgroup / limit), _words(cgroup / usage)
        if most and used and 0 < most[0] < min(_NO_LIMIT, whole.total):
            return int(used[0] - _given_back(cgroup / stat)), int(most[0])
    return int(whole.total - whole.available), int(whole.total)


def _given_back(stat: Path) -> int:
    """Bytes of cached files that the system gives back when memory is short."""
    try:
        rows = dict(line.split() for line in stat.read_text().splitlines())
        return int(rows.get("total_inactive_file", rows.get("inactive_file", 0)))
    except (OSError, ValueError):
        return 0


def _words(path: Path) -> list[float]:
    """The numbers of a file of the system; none where it says ``max`` or is not there."""
    try:
        return [float(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
