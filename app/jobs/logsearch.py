"""Searches a log of any size, some megabytes at a time, and shows the lines around a place.

What a request costs is bounded: it says where the next one goes on. Progress bars that were
overwritten are no lines, as on a terminal; a hole that a flood left is jumped over.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.jobs.logtail import read, settled

BYTES_AT_ONCE = 8 << 20
MOST_HITS = 100
LONGEST_LINE = 2000
AROUND_BYTES = 16 * 1024

ERROR = re.compile(
    rb"Traceback \(most recent call last\)|\b(?:ERROR|CRITICAL|FATAL)\b|^(?:\w+\.)*\w*(?:Error|Exception)\b"
    rb"|\b\w*Error: |out of memory|Segmentation fault|\bloss is nan\b",
    re.MULTILINE,
)
WARNING = re.compile(rb"\bWARN(?:ING)?\b|\b\w*Warning\b|\bdeprecated\b", re.IGNORECASE)
_BREAK = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class Hit:
    """A line that matched: where it begins, in bytes, and its text as shown."""

    offset: int
    text: str


@dataclass(frozen=True)
class Found:
    """Hits in order; ``next`` is the offset to go on from, None when the end was reached."""

    hits: tuple[Hit, ...]
    next: int | None
    size: int


def pattern_of(query: str) -> re.Pattern[bytes]:
    """Plain text, whatever the case of its letters, also those beyond ASCII."""
    parts = []
    for letter in query:
        forms = {letter, letter.lower(), letter.upper()}
        parts.append(b"(?:" + b"|".join(re.escape(f.encode()) for f in sorted(forms)) + b")")
    return re.compile(b"".join(parts))


def search(path: Path, wanted: re.Pattern[bytes], start: int = 0, most: int = MOST_HITS) -> Found:
    """Look at no more than 8 MB from ``start``, and stop at ``most`` hits."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            begin = _data_from(log, max(0, min(start, size)), size)
            log.seek(begin)
            raw = log.read(BYTES_AT_ONCE)
    except (FileNotFoundError, NotADirectoryError):
        return Found((), None, 0)
    end = begin + len(raw)
    if end < size:
        # The last line is not whole in this piece, unless it is longer than all of it.
        cut = raw.rfind(b"\n") + 1
        raw, end = (raw[:cut], begin + cut) if cut else (raw, end)
    hits = []
    for at, line, after in _lines_with(raw, wanted):
        hits.append(Hit(begin + at, settled(line[:LONGEST_LINE]).strip()))
        if len(hits) >= most:
            end = begin + after
            break
    return Found(tuple(hits), end if end < size else None, size)


def _lines_with(raw: bytes, wanted: re.Pattern[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """Where a matching line begins, the line, and where the next one begins."""
    at = 0
    while match := wanted.search(raw, at):
        start = max(raw.rfind(b"\n", 0, match.start()), raw.rfind(b"\r", 0, match.start())) + 1
        stop = _BREAK.search(raw, match.end())
        end = stop.start() if stop else len(raw)
        at = end + 1
        rewritten = raw[end : end + 1] == b"\r" and raw[end + 1 : end + 2] not in (b"\n", b"")
        if not rewritten:
            yield start, raw[start:end], min(at, len(raw))


def _data_from(log: BinaryIO, start: int, size: int) -> int:
    """The first byte from ``start`` on that is not in a hole."""
    try:
        return min(size, os.lseek(log.fileno(), start, os.SEEK_DATA)) if start < size else size
    except OSError as error:
        return size if error.errno == errno.ENXIO else start


@dataclass(frozen=True)
class Part:
    """Lines of a stretch of the log. ``mark`` is the number of the line that was asked for, ``earlier`` and
    ``later`` the offsets of the stretches beside it (None at an end)."""

    lines: tuple[str, ...]
    start: int
    end: int
    mark: int | None = None
    earlier: int | None = None
    later: int | None = None
    size: int = 0


def around(path: Path, offset: int) -> Part:
    """The lines around a place, half before it and half after."""
    begin = _line_start(path, max(0, offset - AROUND_BYTES // 2))
    before = read(path, begin, max(1, offset - begin), skip=False) if offset > begin else None
    part = stretch(path, begin)
    mark = len(before.lines) if before else 0
    return Part(part.lines, part.start, part.end, mark, part.earlier, part.later, part.size)


def stretch(path: Path, start: int) -> Part:
    """The lines from an offset on, about 16 kB of them; of a progress bar only what it came to."""
    begin = start
    chunk = read(path, begin, AROUND_BYTES, skip=False)
    if not chunk.lines and chunk.start < chunk.end < chunk.size:
        begin = _last_state(path, chunk.end)
        chunk = read(path, begin, AROUND_BYTES, skip=False)
    lines, later = chunk.lines, chunk.end if chunk.start < chunk.end < chunk.size else None
    if chunk.live and begin + AROUND_BYTES >= chunk.size:
        lines, later = (*lines, chunk.live), None
    elif not lines and chunk.end == begin < chunk.size:
        later = begin  # what a bar of many megabytes came to is further on
    earlier = max(0, start - AROUND_BYTES) if start > 0 else None
    return Part(tuple(lines), start, chunk.end, None, earlier, later, chunk.size)


def before(path: Path, end: int) -> Part:
    """The lines just before an offset."""
    part = _just_before(path, end)
    if not part.lines and part.earlier:
        return _just_before(path, _bar_start(path, part.earlier))
    return part


def _just_before(path: Path, end: int) -> Part:
    start = _line_start(path, max(0, end - AROUND_BYTES)) if end > AROUND_BYTES else 0
    chunk = read(path, start, max(1, end - start), skip=False)
    earlier = start if start > 0 else None
    return Part(chunk.lines, start, end, None, earlier, None, chunk.size)


def _last_state(path: Path, offset: int) -> int:
    """Where the last state of the progress bar around ``offset`` begins, or as far as was looked."""
    with path.open("rb") as log:
        log.seek(offset)
        raw = log.read(BYTES_AT_ONCE)
    end = raw.find(b"\n")
    bar = (raw if end < 0 else raw[:end]).rstrip(b"\r")
    return offset + bar.rfind(b"\r") + 1


def _bar_start(path: Path, offset: int) -> int:
    """Where the progress bar around ``offset`` began, or as far back as was looked."""
    begin = max(0, offset - BYTES_AT_ONCE)
    with path.open("rb") as log:
        log.seek(begin)
        return begin + log.read(offset - begin).rfind(b"\n") + 1


def _line_start(path: Path, offset: int) -> int:
    """The first line that begins at or after ``offset``, if one does soon."""
    if offset <= 0:
        return 0
    try:
        with path.open("rb") as log:
            log.seek(offset - 1)
            raw = log.read(AROUND_BYTES // 2)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    cut = raw.find(b"\n")
    return offset + cut if cut >= 0 else offset
