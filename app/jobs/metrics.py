"""Collects loss and learning rate from the engines' own records into the metrics file.

Opening the engines' files is done here; what their rows mean is said by the engines' modules.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from app.jobs import curves
from app.jobs.points import Point, append_points, last_step, read_points
from app.jobs.rundir import RunDir, TornFileError
from app.jobs.series import Sample
from engines.adapter import ENGINES
from engines.ai_toolkit import lossdb
from engines.kohya_ss import events
from engines.registry import EngineName

log = logging.getLogger(__name__)

MOST_ROWS = 5000
MOST_BYTES = 1 << 20
"""Of an event file at once: a quarter of a second's work."""
MOST_WAITING = 100_000


class Recorder:
    """Appends what is new in the engine's records to the metrics file, and hands it out.

    It never fails for a record that is locked, torn or not there, nor for a full disk: what
    cannot be read or written now is read or written later.
    """

    def __init__(
        self, run: RunDir, engine: EngineName, *, attempt: int, step_offset: int = 0
    ) -> None:
        self._run = run
        self._kind = ENGINES[engine].traits.records
        self._attempt = attempt
        self.step_offset = step_offset
        self._last_step = last_step(run.metrics, attempt)
        self._offsets: dict[Path, int] = {}
        self._pending: dict[int, dict[str, float]] = {}
        self._told: list[Point] = []
        self._started: float | None = None
        self._first_row: int | None = None
        self._unwritten: list[Point] = []
        self._curves = curves.Curves(run.curves)
        self._waiting: dict[str, list[Sample]] = {}
        self._pace: curves.Pace | None = None
        self._newest: dict[str, Sample] = {}
        """The last point of each curve as it stands in its file."""

    def collect(self) -> list[Point]:
        """New points in order of step. A record that cannot be read now is read later."""
        return self._take(self._rows())

    def _rows(self) -> list[Point]:
        if self._kind == "tensorboard":
            return self._tensorboard()
        if self._kind == "loss-table":
            return self._loss_database()
        told, self._told = self._told, []
        return told

    def tell(self, step: int, loss: float, learning_rate: float | None) -> None:
        """What the log said of a step of the whole job; counts where the engine has no records."""
        if self._kind == "log":
            self._told.append(Point(self._attempt, step, time.time(), loss, learning_rate))

    def flush(self) -> list[Point]:
        """Everything there is, the last step too, once the writer is gone."""
        points: list[Point] = []
        read: dict[Path, int] | None = None
        # A disk that gives nothing back is not asked for ever.
        while (new := self.collect()) or (self._more_events() and self._offsets != read):
            points, read = points + new, dict(self._offsets)
        left = [self._point(step, self._pending.pop(step)) for step in sorted(self._pending)]
        return points + self._take(left)

    def _take(self, rows: Iterable[Point]) -> list[Point]:
        points = [point for point in rows if point.step > self._last_step]
        if points:
            self._last_step = points[-1].step
        if points or self._unwritten:
            self._unwritten = [*self._unwritten, *points][-MOST_WAITING:]
            try:
                append_points(self._run.metrics, self._unwritten)
                self._unwritten = []
            except OSError as error:
                log.warning("%s: written later: %s", self._run.metrics, error)
        if points or self._waiting:
            self._draw(points)
        return points

    def note(self, name: str, step: int, time: float, value: float) -> None:
        """Keep a reading of our own, such as the GPU's memory, beside the engine's."""
        self._waiting.setdefault(name, []).append(Sample(step, self._attempt, time, value))

    def _draw(self, points: list[Point]) -> None:
        """Add the points to the curves. What cannot be written now is written later."""
        try:
            if not self._curves.built():
                # The rows of before, and these, which stand in the file already.
                self._curves.build(read_points(self._run.metrics))
                points = []
            if self._pace is None:
                newest = self._curves.series(curves.LOSS).last(1)
                self._pace = curves.Pace(newest[0] if newest else None)
            for name, samples in curves.samples_of(points, self._pace).items():
                self._waiting.setdefault(name, []).extend(samples)
            new = {name: self._unseen(name, samples) for name, samples in self._waiting.items()}
            self._curves.append(new)
            self._newest.update({name: samples[-1] for name, samples in new.items() if samples})
            self._waiting = {}
        except OSError as error:
            self._newest.clear()  # some of them may have been written
            self._waiting = {n: s[-MOST_WAITING:] for n, s in self._waiting.items()}
            log.warning("%s: written later: %s", self._run.curves, error)

    def _unseen(self, name: str, samples: list[Sample]) -> list[Sample]:
        """Without those that stand in the curve already: a server that starts reads records again."""
        newest = self._newest.get(name)
        if newest is None:
            return self._curves.unseen(name, samples)
        return curves.after(newest, samples)

    def _loss_database(self) -> list[Point]:
        """The rows of this attempt. The table also holds those of the attempts before, and,
        until the engine prunes them, steps that this attempt will do again."""
        databases = list(self._run.output.glob(f"*/{lossdb.FILE}"))
        since = self._since()
        if not databases or since is None:
            return []
        try:
            with contextlib.closing(
                sqlite3.connect(f"{databases[0].as_uri()}?mode=ro", uri=True, timeout=0.2)
            ) as connection:
                if self._first_row is None:
                    query = "SELECT MIN(step) FROM steps WHERE wall_time >= ?"
                    (self._first_row,) = connection.execute(query, (since,)).fetchone()
                if self._first_row is None:
                    return []
                at = max(self._first_row, self._last_step)
                rows = connection.execute(lossdb.QUERY, (at, MOST_ROWS)).fetchall()
                others = []
                if rows and rows[-1][0] >= self._last_step:
                    span = (max(at, self._last_step), rows[-1][0])
                    others = connection.execute(lossdb.OTHERS, span).fetchall()
        except sqlite3.Error as error:
            log.debug("%s: not read this time: %s", databases[0], error)
            return []
        for number, wall, key, value in others:
            self.note(key, number + 1, wall or 0.0, value)
        readings = map(lossdb.reading, rows)
        return [Point(self._attempt, r.step, r.time, r.loss, r.learning_rate) for r in readings]

    def _since(self) -> float | None:
        """When this attempt's trainer was started, less a second; None: not yet."""
        if self._started is None:
            try:
                launch = self._run.attempt(self._attempt).read_launch()
            except TornFileError:
                return None
            if launch is None:
                return 0.0
            self._started = launch.started
        return None if self._started is None else self._started - 1

    def _event_files(self) -> list[Path]:
        """Those of this attempt; the engine makes a new folder at each start."""
        folder = self._run.root / "logs" / str(self._attempt)
        return sorted(folder.glob("*/*/events.out.tfevents.*"))

    def _tensorboard(self) -> list[Point]:
        for path in self._event_files():
            offset = self._offsets.get(path, 0)
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    data = file.read(MOST_BYTES)
                readings, used = events.read_events(data)
            except OSError:
                continue
            except (IndexError, struct.error, ValueError) as error:
                log.warning(
                    "%s: %d bytes from %d are no events: %s", path, len(data), offset, error
                )
                readings, used = [], len(data)
            if used == 0 and len(data) == MOST_BYTES:
                log.warning("%s: from %d on there are no whole events", path, offset)
                used = path.stat().st_size - offset
            self._offsets[path] = offset + used
            for reading in readings:
                name = events.MEANING.get(reading.tag)
                if name is None or (name == "learning_rate" and reading.tag not in events.BEST):
                    self._other(reading)
                if name is not None:
                    values = self._pending.setdefault(reading.step, {"time": reading.time})
                    if reading.tag in events.BEST or name not in values:
                        values[name] = reading.value
        # A step's values come one after another; the newest step may not be complete yet.
        return [self._point(step, self._pending.pop(step)) for step in sorted(self._pending)[:-1]]

    def _other(self, reading: events.Reading) -> None:
        """A series that has no name of ours keeps the engine's."""
        if reading.tag not in events.LEFT_OUT:
            step = reading.step + self.step_offset
            self.note(reading.tag, step, reading.time, reading.value)

    def _more_events(self) -> bool:
        """Whether a whole read of events brought no point, but there is more to read."""
        return self._kind == "tensorboard" and any(
            path.stat().st_size - self._offsets.get(path, 0) > MOST_BYTES
            for path in self._event_files()
        )

    def _point(self, step: int, values: dict[str, float]) -> Point:
        return Point(
            self._attempt,
            step + self.step_offset,
            values["time"],
            values.get("loss"),
            values.get("learning_rate"),
        )
