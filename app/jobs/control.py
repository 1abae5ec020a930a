"""The control table of ai-toolkit, on disk: made before a start, read by the trainer while it runs."""

from __future__ import annotations

import contextlib
import sqlite3

from engines.base import ControlTable

_BESIDE = ("", "-wal", "-shm", "-journal")


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
