"""The control table of ai-toolkit, on disk: made before a start, read while it runs."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from engines.base import ControlTable

_BESIDE = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class ControlRow:
    """What the trainer wrote: its status and what it is doing, the step, the speed in words."""

    status: str
    info: str
    step: int
    speed: str


def create_control(table: ControlTable) -> None:
    """Make the table anew, with every order cleared: a left-over stop would end the next run.

    Only called while no trainer runs. Raises OSError or sqlite3.Error.
    """
    table.path.parent.mkdir(parents=True, exist_ok=True)
    for ending in _BESIDE:
        table.path.with_name(table.path.name + ending).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(table.path, timeout=10)) as connection, connection:
        connection.execute(table.schema)
        connection.execute(table.insert, table.parameters)


def read_control(path: Path) -> ControlRow | None:
    """The row as it is now; None when there is none, or it is locked: look again later."""
    if not path.exists():
        return None
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)
        ) as connection:
            query = "SELECT status, info, step, speed_string FROM Job LIMIT 1"
            row = connection.execute(query).fetchone()
    except sqlite3.Error:
        return None
    if row is None:
        return None
    status, info, step, speed = row
    return ControlRow(status or "", info or "", int(step or 0), speed or "")
