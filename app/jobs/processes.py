"""Finds and ends processes by pid and start time, so that a reused pid is never hit.

Reads /proc of Linux. Start times are clock ticks since boot (field 22 of /proc/PID/stat);
a pid together with its start time names one process for good.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "VAST_LORA_ATTEMPT"
"""Environment variable by which every process of one attempt is known; the runner sets it."""

_PROC = Path("/proc")
_DEAD = frozenset("ZX")
_LOOK_INTERVAL = 0.02


@dataclass(frozen=True)
class Process:
    """One process, for good: ``start_time`` is in clock ticks since boot."""

    pid: int
    start_time: int

    def to_json(self) -> dict[str, int]:
        return {"pid": self.pid, "start_time": self.start_time}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Process:
        return cls(int(data["pid"]), int(data["start_time"]))


def boot_id() -> str:
    """A random name that the kernel takes at each boot; pids of another boot mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When ``pid`` began, in clock ticks since boot; None if there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, started: int) -> bool:
    """True while the process that began at ``started`` runs. A zombie has ended."""
    fields = _stat(pid)
    return bool(fields) and int(fields[19]) == started and fields[0] not in _DEAD


def descendants(pid: int) -> list[Process]:
    """Every living process below ``pid``, in whatever session; not ``pid`` itself."""
    children: dict[int, list[int]] = {}
    rows = {child: fields for child in _pids() if (fields := _stat(child))}
    for child, fields in rows.items():
        children.setdefault(int(fields[1]), []).append(child)
    found: list[Process] = []
    todo = [pid]
    while todo:
        for child in children.pop(todo.pop(), []):
            todo.append(child)
            if rows[child][0] not in _DEAD:
                found.append(Process(child, int(rows[child][19])))
    return found


def marked(marker: str) -> list[Process]:
    """Every living process whose environment names this attempt.

    A process that we may not read, or that has overwritten its environment, is not found.
    """
    return _those(lambda pid: marker_of(pid) == marker)


def marker_of(pid: int) -> str:
    """Which attempt the environment of a process names; empty where it names none, or cannot be read."""
    wanted = f"{MARKER}=".encode()
    words = _words(pid, "environ")
    return next(
        (w[len(wanted) :].decode("utf-8", "replace") for w in words if w.startswith(wanted)), ""
    )


def with_arguments(words: Collection[str]) -> list[Process]:
    """Every living process in whose command each of these words stands as a whole argument."""
    wanted = {os.fsencode(word) for word in words}
    return _those(lambda pid: wanted <= set(_words(pid, "cmdline")))


def _those(fits: Callable[[int], bool]) -> list[Process]:
    found = []
    for pid in _pids():
        started = start_time(pid)
        if started is not None and fits(pid) and is_alive(pid, started):
            found.append(Process(pid, started))
    return found


def _words(pid: int, file: str) -> list[bytes]:
    """What stands in ``environ`` or ``cmdline``; nothing of a process that is gone or another user's."""
    try:
        return (_PROC / str(pid) / file).read_bytes().split(b"\0")
    except OSError:
        return []


def send(process: Process, number: signal.Signals) -> bool:
    """Signal exactly this process. False if it has ended, whoever has its pid now."""
    try:
        handle = _open_handle(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process.pid, process.start_time):
            return False
        if handle is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        if handle is not None:
            os.close(handle)
    return True


def end(
    processes: Iterable[Process],
    steps: Sequence[tuple[signal.Signals, float]] = ((signal.SIGKILL, 5.0),),
) -> list[Process]:
    """Send each signal in turn to what still lives, waiting up to its seconds after it.

    Returns what lives after the last step: processes that hang in the kernel. Raises
    PermissionError for a process that is not ours to signal.
    """
    left = [process for process in processes if is_alive(process.pid, process.start_time)]
    for number, grace in steps:
        for process in left:
            send(process, number)
        left = _wait(left, grace)
    return left


def _wait(processes: list[Process], seconds: float) -> list[Process]:
    """What still lives when all have ended or the time is over."""
    over = time.monotonic() + seconds
    while left := [one for one in processes if is_alive(one.pid, one.start_time)]:
        if time.monotonic() >= over:
            break
        time.sleep(_LOOK_INTERVAL)
    return left


def _open_handle(pid: int) -> int | None:
    """A pidfd; None where the kernel or a sandbox has none to give."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:
        return None


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, parent, ...); empty if it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
