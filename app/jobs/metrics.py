"""Collects loss and learning rate from the engines' own records into ``metrics.csv``.

Opening the files is done here; what their rows mean is said by the engines' modules.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.jobs.rundir import RunDir
from engines.ai_toolkit import lossdb
from engines.base import ControlTable
from engines.kohya_ss import events
from engines.spec import EngineName

log = logging.getLogger(__name__)

MOST_ROWS = 5000
HEADER = ("attempt", "step", "time", "loss", "learning_rate")


@dataclass(frozen=True)
class Point:
    """One reading. ``step`` counts optimizer steps of the whole job; ``time`` is epoch seconds."""

    attempt: int
    step: int
    time: float
    loss: float | None
    learning_rate: float | None


def create_control(table: ControlTable) -> None:
    """Make the table that a trainer reads its orders from, with every order cleared."""
    table.path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(table.path, timeout=10)) as connection, connection:
        connection.execute("DROP TABLE IF EXISTS Job")
        connection.execute(table.schema)
        connection.execute(table.insert, table.parameters)


class Recorder:
    """Appends what is new in the engine's records to the metrics file, and hands it out."""

    def __init__(
        self, run: RunDir, engine: EngineName, *, attempt: int, step_offset: int = 0
    ) -> None:
        self._run = run
        self._engine = engine
        self._attempt = attempt
        self.step_offset = step_offset
        self._last_step = _last_step(run.metrics, attempt)
        self._offsets: dict[Path, int] = {}
        self._pending: dict[int, dict[str, float]] = {}

    def collect(self) -> list[Point]:
        """New points in order of step. A record that cannot be read now is read later."""
        rows = self._tensorboard() if self._engine == "kohya_ss" else self._loss_database()
        points = [point for point in rows if point.step > self._last_step]
        if points:
            self._append(points)
            self._last_step = points[-1].step
        return points

    def _append(self, points: list[Point]) -> None:
        new = not self._run.metrics.exists()
        with self._run.metrics.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(HEADER)
            for p in points:
                writer.writerow((p.attempt, p.step, f"{p.time:.3f}", p.loss, p.learning_rate))

    def _loss_database(self) -> Iterator[Point]:
        databases = list(self._run.output.glob(f"*/{lossdb.FILE}"))
        if not databases:
            return
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{databases[0]}?mode=ro", uri=True, timeout=0.2)
            ) as connection:
                rows = connection.execute(lossdb.QUERY, (self._last_step, MOST_ROWS)).fetchall()
        except sqlite3.Error as error:
            log.debug("%s: not read this time: %s", databases[0], error)
            return
        for reading in map(lossdb.reading, rows):
            yield Point(
                self._attempt, reading.step, reading.time, reading.loss, reading.learning_rate
            )

    def _tensorboard(self) -> Iterator[Point]:
        """The event files of this attempt; the engine makes a new folder at each start."""
        for path in sorted(
            (self._run.root / "logs" / str(self._attempt)).glob("*/*/events.out.tfevents.*")
        ):
            offset = self._offsets.get(path, 0)
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    data = file.read(4 << 20)
            except OSError:
                continue
            readings, used = events.read_events(data)
            self._offsets[path] = offset + used
            for reading in readings:
                name = events.MEANING.get(reading.tag)
                if name is not None:
                    values = self._pending.setdefault(reading.step, {"time": reading.time})
                    values.setdefault(name, reading.value)
        # A step's values come one after another; the newest step may not be complete yet.
        for step in sorted(self._pending)[:-1]:
            yield self._point(step, self._pending.pop(step))

    def flush(self) -> list[Point]:
        """The last step too, once the writer is gone."""
        points = self.collect()
        left = [self._point(step, self._pending.pop(step)) for step in sorted(self._pending)]
        left = [point for point in left if point.step > self._last_step]
        if left:
            self._append(left)
        return points + left

    def _point(self, step: int, values: dict[str, float]) -> Point:
        return Point(
            self._attempt,
            step + self.step_offset,
            values["time"],
            values.get("loss"),
            values.get("learning_rate"),
        )


def read_points(path: Path) -> Iterator[Point]:
    """Every whole row of a metrics file; a torn last line is left out."""
    if not path.exists():
        return
    with path.open(newline="") as file:
        for row in csv.reader(line for line in file if line.endswith("\n")):
            if len(row) == len(HEADER) and row[0] != HEADER[0]:
                yield Point(
                    int(row[0]), int(row[1]), float(row[2]),
                    float(row[3]) if row[3] else None, float(row[4]) if row[4] else None,
                )  # fmt: skip


def _last_step(path: Path, attempt: int) -> int:
    """The newest step that this attempt recorded; 0 if none."""
    return max((p.step for p in read_points(path) if p.attempt == attempt), default=0)
