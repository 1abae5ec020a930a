"""What processes take: processor time and memory, as Linux counts them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.support.server import Server

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int, *, waited: bool = False) -> float:
    """CPU time of a process and its threads, in steps of 10 ms; ``waited``: and of its children
    that ended and were waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if waited else 13])) / TICK


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def family_seconds(pid: int) -> float:
    """CPU time of a process and all its descendants, those that ended too."""
    total = 0.0
    for one in family(pid):
        with contextlib.suppress(OSError):  # it ended meanwhile, and counts with its parent
            total += cpu_seconds(one, waited=True)
    return total


def cpu_of(pid: int, call: Callable[[], object], times: int) -> float:
    """Milliseconds of CPU that one call costs a server and its children."""
    call()
    before = family_seconds(pid)
    for _ in range(times):
        call()
    return 1000 * (family_seconds(pid) - before) / times


def memory_mb(pids: Iterable[int]) -> float:
    """PSS of these processes together: what would be free without them."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended meanwhile
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def gunicorns(server: Server) -> list[int]:
    """Master and worker, without what they started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = path.read_bytes().split(b"\0")
            if any(b"app.wsgi:app" in word for word in words):
                environ = (path.parent / "environ").read_bytes()
                if f"DATA_DIR={server.data}".encode() in environ.split(b"\0"):
                    found.append(int(path.parent.name))
    return found


def load(server: Server, seconds: float, *, waited: bool = False) -> float:
    """Percent of a core that master and worker take over so many seconds."""
    pids = gunicorns(server)

    def spent() -> float:
        return sum(cpu_seconds(pid, waited=waited) for pid in pids)

    before, begin = spent(), time.monotonic()
    time.sleep(seconds)
    return 100 * (spent() - before) / (time.monotonic() - begin)
