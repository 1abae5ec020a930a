"""The metrics file, ``metrics.csv``: a row for each step of each attempt, append-only.

Steps done again by a later attempt stand there twice, told apart by the attempt's number.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = ("attempt", "step", "time", "loss", "learning_rate")


@dataclass(frozen=True)
class Point:
    """One reading. ``step`` counts optimizer steps of the whole job; ``time`` is epoch seconds."""

    attempt: int
    step: int
    time: float
    loss: float | None
    learning_rate: float | None


def append_points(path: Path, points: Iterable[Point]) -> None:
    """Add rows at the end, after a torn last line if there is one. Raises OSError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            writer.writerow(HEADER)
        else:
            file.seek(size - 1)
            text.write("" if file.read(1) == b"\n" else "\n")
        for p in points:
            writer.writerow((p.attempt, p.step, f"{p.time:.3f}", p.loss, p.learning_rate))
        data = text.getvalue().encode()
        try:
            if file.write(data) == len(data):
                return
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            # Half of a row is of no use to anyone, and the rows come again.
            os.ftruncate(file.fileno(), size)
            raise


def read_points(path: Path, last: int | None = None) -> Iterator[Point]:
    """Every whole row of a metrics file, or the ``last`` ones; torn rows are left out."""
    try:
        with path.open("rb") as file:
            if last is not None:
                # A row is at most so long; the first one of the tail may be cut.
                file.seek(max(0, file.seek(0, os.SEEK_END) - 100 * (last + 1)))
                yield from list(_points(file))[-last:] if last else ()
            else:
                yield from _points(file)
    except FileNotFoundError:
        return


def _points(lines: Iterable[bytes]) -> Iterator[Point]:
    for line in lines:
        row = line.decode("ascii", "replace").rstrip("\r\n").split(",")
        if len(row) != len(HEADER) or not line.endswith(b"\n"):
            continue
        try:
            attempt, step, time, loss, rate = row
            yield Point(
                int(attempt),
                int(step),
                float(time),
                float(loss) if loss else None,
                float(rate) if rate else None,
            )
        except ValueError:
            continue  # the header, or a row that was torn


def last_step(path: Path, attempt: int) -> int:
    """The newest step that this attempt recorded; 0 if none. Rows of one attempt are in order."""
    return max((p.step for p in read_points(path, last=1000) if p.attempt == attempt), default=0)
