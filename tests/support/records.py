"""Writes the engines' own records: TensorBoard events and ai-toolkit's loss database."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterable
from pathlib import Path


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def event(step: int, tag: str, value: float, time: float = 1_795_000_000.0) -> bytes:
    """One record of an event file. The sums are not looked at and are left zero."""
    inner = _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    data = b"\x09" + struct.pack("<d", time) + b"\x10" + _varint(step) + _bytes(5, _bytes(1, inner))
    return struct.pack("<Q", len(data)) + bytes(4) + data + bytes(4)


def step_events(step: int, loss: float, rate: float = 1e-4) -> bytes:
    """What sd-scripts writes for one step."""
    return (
        event(step, "loss/current", loss)
        + event(step, "loss/average", loss)
        + event(step, "lr/unet", rate)
    )


def event_file(root: Path, attempt: int) -> Path:
    """Where the events of an attempt lie in a run directory."""
    folder = root / "logs" / str(attempt) / "20261123140337" / "network_train"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "events.out.tfevents.1795444136.vm.1.0"


class LossDatabase:
    """ai-toolkit's ``loss_log.db``. Rows are numbered from 0 by the step they belong to."""

    def __init__(self, output: Path, name: str = "dog") -> None:
        self.path = output / name / "loss_log.db"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.connection() as db:
            db.execute("CREATE TABLE steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL)")
            db.execute(
                "CREATE TABLE metrics (step INTEGER NOT NULL, key TEXT NOT NULL, value_real REAL, "
                "value_text TEXT, PRIMARY KEY (step, key))"
            )

    @contextlib.contextmanager
    def connection(self):  # type: ignore[no-untyped-def]
        with contextlib.closing(sqlite3.connect(self.path)) as db, db:
            yield db

    def write(self, numbers: Iterable[int], *, time: float, loss: float = 0.5) -> None:
        """Insert or replace rows, as the engine does when it does steps again."""
        with self.connection() as db:
            for number in numbers:
                db.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (number, time + number))
                for key, value in (("loss/loss", loss), ("learning_rate", 1e-4)):
                    row = (number, key, value)
                    db.execute("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, NULL)", row)

    def prune(self, after: int) -> None:
        """What the engine does at the first commit of a resumed run."""
        with self.connection() as db:
            db.execute("DELETE FROM steps WHERE step > ?", (after,))
            db.execute("DELETE FROM metrics WHERE step > ?", (after,))
