"""The curves of a job: every named series of its run directory, and what a chart asks of them.

``metrics/NAME.*`` in the run directory, a series each: loss, learning_rate, seconds_per_step,
gpu_memory, and whatever else the engine records (validation, rates of text encoders), under the
engine's own name. ``metrics.csv`` keeps loss and learning rate for people and spreadsheets; what an
older version left only there is taken from it.
"""

from __future__ import annotations

import fcntl
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from app.jobs.series import Sample, Series, thin

if TYPE_CHECKING:
    from app.jobs.points import Point

Axis = Literal["step", "time"]
LOSS, RATE, SECONDS, MEMORY = "loss", "learning_rate", "seconds_per_step", "gpu_memory"
FIRST = (LOSS, RATE, SECONDS, MEMORY)
MOST_WIDTH = 2000
_BUILT = ".built"
_LONGEST_STEP = 86_400.0
_LONGEST_NAME = 240
"""Of a series, as its files write it: more than that is no file's name."""


@dataclass(frozen=True)
class Curve:
    """What a chart draws: points in order, and where later attempts begin (their first point).

    ``count`` is how many points of the series had been read: more may have been written since.
    """

    name: str
    samples: tuple[Sample, ...]
    seams: tuple[Sample, ...]
    count: int = 0


class Curves:
    """The series below one run directory's ``metrics/``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, Series] = {}

    def names(self) -> list[str]:
        """Those that hold points; the ones every job has come first."""
        try:
            found = {unquote(path.name[:-2]) for path in self._folder.glob("*.0")}
        except OSError:
            return []
        found = {name for name in found if len(self.series(name))}
        return [n for n in FIRST if n in found] + sorted(found - set(FIRST))

    def series(self, name: str) -> Series:
        """The series of that name, which need not exist."""
        return Series(self._folder / _file_name(name))

    def version(self) -> str:
        """Changes with every new point."""
        return ".".join(str(len(self.series(name))) for name in self.names())

    def append(self, samples: Mapping[str, Iterable[Sample]]) -> None:
        """Add points of several series. Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        for name, rows in samples.items():
            if rows := list(rows):
                # Kept, since it knows what it wrote; one writer, as always.
                self._written.setdefault(name, self.series(name)).append(rows)

    def unseen(self, name: str, samples: Iterable[Sample]) -> list[Sample]:
        """Without those that stand there already: a server that starts reads records again."""
        newest = next(iter(self.series(name).last(1)), None)
        return list(samples) if newest is None else after(newest, samples)

    def curve(
        self,
        name: str,
        *,
        start: float = -math.inf,
        end: float = math.inf,
        width: int = 800,
        axis: Axis = "step",
    ) -> Curve:
        """The points between ``start`` and ``end``, thinned for ``width`` pixels."""
        series = self.series(name)
        count = len(series)
        runs = series.runs(start, end, by_time=axis == "time")
        if math.isinf(start) and math.isinf(end):
            count = runs[-1][2] if runs else 0
        total = sum(last - first for _, first, last in runs)
        samples: list[Sample] = []
        seams = []
        for number, first, last in runs:
            share = max(2, round(min(width, MOST_WIDTH) * (last - first) / total))
            part = series.thinned(first, last, share)
            if samples and part and number != samples[-1].attempt:
                seams.append(part[0])
            samples += part
        return Curve(name, tuple(samples), tuple(seams), count)

    def since(self, name: str, count: int, width: int) -> Curve | None:
        """What follows the first ``count`` points of a series, none left out.

        None where the whole curve has to be drawn anew: another attempt began, which may lie over
        the one before, or more is new than a chart of ``width`` pixels needs.
        """
        series = self.series(name)
        size = len(series)
        if not 0 < count <= size or size - count > width:
            return None
        rows = series.between(count - 1, size)
        if not rows or rows[0].attempt != rows[-1].attempt:
            return None
        return Curve(name, tuple(rows[1:]), (), count - 1 + len(rows))

    def built(self) -> bool:
        """Whether the series hold all that ``metrics.csv`` does."""
        return (self._folder / _BUILT).exists()

    def build(self, points: Iterable[Point]) -> None:
        """Make the series anew from the rows of ``metrics.csv``. Waits for another that does."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.built():
                return
            self._written.clear()
            for name in (LOSS, RATE, SECONDS):
                for path in self._folder.glob(f"{name}.?"):
                    path.unlink()
            batch: list[Point] = []
            pace = Pace()
            for point in points:
                batch.append(point)
                if len(batch) >= 50_000:
                    self.append(samples_of(batch, pace))
                    batch = []
            self.append(samples_of(batch, pace))
            (self._folder / _BUILT).touch()


def _file_name(name: str) -> str:
    """Each sign that is no letter of English stands there as three to twelve."""
    while len(quoted := quote(name, safe="")) > _LONGEST_NAME:
        name = name[:-1]
    return quoted


def after(newest: Sample, samples: Iterable[Sample]) -> list[Sample]:
    """Those of another attempt than ``newest``, or of later steps."""
    return [s for s in samples if s.attempt != newest.attempt or s.step > newest.step]


class Pace:
    """Seconds per step, from when each step was recorded."""

    def __init__(self, last: Sample | None = None) -> None:
        self._last = (last.attempt, last.step, last.time) if last else None

    def of(self, attempt: int, step: int, time: float) -> float | None:
        """Seconds that one step took since the one before; None at an attempt's first."""
        last, self._last = self._last, (attempt, step, time)
        if last is None or last[0] != attempt or step <= last[1]:
            return None
        seconds = (time - last[2]) / (step - last[1])
        return seconds if 0 <= seconds < _LONGEST_STEP else None


def samples_of(points: Iterable[Point], pace: Pace) -> dict[str, list[Sample]]:
    """Rows of ``metrics.csv`` as samples by series."""
    found: dict[str, list[Sample]] = {LOSS: [], RATE: [], SECONDS: []}
    for p in points:
        for name, value in (
            (LOSS, p.loss),
            (RATE, p.learning_rate),
            (SECONDS, pace.of(p.attempt, p.step, p.time)),
        ):
            if value is not None:
                found[name].append(Sample(p.step, p.attempt, p.time, value))
    return found


__all__ = ["FIRST", "LOSS", "MEMORY", "RATE", "SECONDS", "Curve", "Curves", "Pace", "after", "thin"]
