"""One curve of a job on disk: append-only points, and levels that keep a million of them instant.

``NAME.0`` holds the points, 24 bytes each: step, attempt, time, value. ``NAME.1`` holds, for each
8 points, three that were there: the lowest, the highest, and one that is no number (or the first
again); ``NAME.2`` the same for 8 of those, and so on. So a chart reads a few kilobytes whatever the
length, and a spike is never averaged away. The levels are made from the points and need no care.

One writer. A torn tail is cut off by the next append; readers leave it out.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FAN = 8
LEVELS = 6
_RECORD = struct.Struct("<IIdd")
_SIZE = _RECORD.size
_KEPT = 3


class Sample(NamedTuple):
    """One point. ``step`` counts optimizer steps of the whole job; ``time`` is epoch seconds."""

    step: int
    attempt: int
    time: float
    value: float


class Series:
    """The files of one curve; ``path`` is without the level's number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_whole = False
        """Whether the levels are known to hold all that they should."""

    def _file(self, level: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{level}")

    def __len__(self) -> int:
        return self._count(0, 1)

    def _count(self, level: int, records: int) -> int:
        try:
            return self._file(level).stat().st_size // (_SIZE * records)
        except FileNotFoundError:
            return 0

    def append(self, samples: Iterable[Sample]) -> None:
        """Add points at the end, and what the levels gain by them. Raises OSError.

        A step that is no step (below 0, or beyond four thousand million) is left out.
        """
        data = b"".join(_RECORD.pack(*s) for s in samples if 0 <= s.step < 1 << 32)
        before = self._extend(0, 1, data) // _SIZE
        if self._is_whole and before // FAN == (before + len(data) // _SIZE) // FAN:
            return  # no group became full: seven of eight steps of a run
        self._is_whole = False
        for level in range(1, LEVELS + 1):
            if not self._summarise(level):
                break
        self._is_whole = True

    def _extend(self, level: int, records: int, data: bytes) -> int:
        """Write at the end of a level, after its last whole group of records; where that was."""
        with self._file(level).open("ab", buffering=0) as file:
            size = file.tell()
            whole = size - size % (_SIZE * records)
            if size != whole:
                file.truncate(whole)
            try:
                if file.write(data) != len(data):
                    raise OSError(28, os.strerror(28), str(self._file(level)))
            except OSError:
                file.truncate(whole)
                raise
            return whole

    def _summarise(self, level: int) -> bool:
        """Write the groups of a level that are full now; whether there were any."""
        below = 1 if level == 1 else _KEPT
        have, full = self._count(level, _KEPT), self._count(level - 1, below) // FAN
        step = 4096
        for start in range(have, full, step):
            end = min(start + step, full)
            rows = self._read(level - 1, start * FAN * below, end * FAN * below)
            size = FAN * below
            groups = (rows[at : at + size] for at in range(0, len(rows), size))
            packed = b"".join(_RECORD.pack(*sample) for group in groups for sample in _kept(group))
            self._extend(level, _KEPT, packed)
        return full > have

    def _read(self, level: int, start: int, end: int) -> list[Sample]:
        """Records ``start`` to ``end`` of a level."""
        if end <= start:
            return []
        try:
            with self._file(level).open("rb", buffering=0) as file:
                file.seek(start * _SIZE)
                data = file.read((end - start) * _SIZE)
        except FileNotFoundError:
            return []
        data = data[: len(data) // _SIZE * _SIZE]
        return list(map(Sample._make, _RECORD.iter_unpack(data)))

    def between(self, first: int, end: int) -> list[Sample]:
        """Points by their index, none left out."""
        return self._read(0, first, end)

    def last(self, count: int) -> list[Sample]:
        """The newest points, in order."""
        size = len(self)
        return self._read(0, max(0, size - count), size)

    def attempts(self) -> list[tuple[int, int, int]]:
        """(attempt, first index, end index) in order; attempts stand one after another."""
        with self._raw() as raw:
            return list(_spans(raw, len(self)))

    @contextlib.contextmanager
    def _raw(self) -> Iterator[_Raw]:
        """The points by index, from one open file."""
        try:
            handle = os.open(self._file(0), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield _nothing
            return
        try:
            yield lambda index: Sample._make(_RECORD.unpack(os.pread(handle, _SIZE, index * _SIZE)))
        finally:
            os.close(handle)

    def runs(
        self, start: float = -math.inf, end: float = math.inf, *, by_time: bool = False
    ) -> list[tuple[int, int, int]]:
        """(attempt, first index, end index) of what counts between ``start`` and ``end``.

        A later attempt counts from its first step on: what an earlier one did beyond is left out.
        """
        key = _time if by_time else _step
        found = []
        with self._raw() as raw:
            over = math.inf
            for number, first, last in reversed(list(_spans(raw, len(self)))):
                begins = raw(first).step
                last = _first(raw, first, last, _at_least(_step, over))
                over = min(over, begins)
                low = _first(raw, first, last, _at_least(key, start))
                high = _first(raw, low, last, lambda s: key(s) > end)
                if high > low:
                    found.append((number, low, high))
        return found[::-1]

    def thinned(self, first: int, end: int, width: int) -> list[Sample]:
        """At most about ``4 * width`` points from ``first`` to ``end`` that draw the same curve."""
        return thin(list(self._sampled(first, end, max(2, width))), width)

    def _sampled(self, first: int, end: int, width: int) -> Iterator[Sample]:
        level = 0
        while level < LEVELS and (end - first) / FAN**level > 2 * width:
            level += 1
        low = high = 0
        while level > 0:
            size = FAN**level
            low, high = -(-first // size), min(end // size, self._count(level, _KEPT))
            if high > low:
                break
            # No whole group lies within; the groups below are smaller.
            level -= 1
        if level == 0:
            yield from self._read(0, first, end)
            return
        yield from self._sampled(first, low * size, width)
        yield from self._read(level, low * _KEPT, high * _KEPT)
        yield from self._sampled(high * size, end, width)


_Raw = Callable[[int], Sample]


def _nothing(index: int) -> Sample:
    raise IndexError(index)


def _spans(raw: _Raw, size: int) -> Iterator[tuple[int, int, int]]:
    """(attempt, first index, end index) of each attempt, in order."""
    start = 0
    while start < size:
        number = raw(start).attempt
        end = _first(raw, start, size, _at_least(_attempt, number + 1))
        yield number, start, end
        start = end


def _first(raw: _Raw, low: int, high: int, holds: Callable[[Sample], bool]) -> int:
    """The first index whose point ``holds``, by bisection; ``high`` if none does."""
    while low < high:
        middle = (low + high) // 2
        if holds(raw(middle)):
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(key: Callable[[Sample], float], bound: float) -> Callable[[Sample], bool]:
    return lambda sample: key(sample) >= bound


def _attempt(sample: Sample) -> float:
    return sample.attempt


def _step(sample: Sample) -> float:
    return sample.step


def _time(sample: Sample) -> float:
    return sample.time


def _kept(group: list[Sample]) -> list[Sample]:
    """Three of a group in order: lowest, highest, and one that is no number or the first."""
    numbers = [sample for sample in group if math.isfinite(sample.value)]
    odd = next((sample for sample in group if not math.isfinite(sample.value)), group[0])
    if not numbers:
        return [group[0], odd, group[-1]]
    low, high = min(numbers, key=lambda s: s.value), max(numbers, key=lambda s: s.value)
    return sorted((low, high, odd), key=lambda s: (s.attempt, s.step))


def thin(samples: list[Sample], width: int) -> list[Sample]:
    """At most ``4 * width`` of the points, which draw the same curve at ``width`` pixels.

    Each of ``width`` groups keeps its lowest, its highest and one that is no number; the very
    first and last point stay. Fewer points than that come back as they are, without doubles.
    """
    width = max(1, width)
    if len(samples) > 3 * width:
        size = len(samples) / width
        groups = [samples[round(n * size) : round((n + 1) * size)] for n in range(width)]
        kept = [sample for group in groups if group for sample in _kept(group)]
        samples = [samples[0], *kept, samples[-1]]
    return [s for at, s in enumerate(samples) if not at or s != samples[at - 1]]
