"""Reads a growing log by byte offset, with carriage returns collapsed as a terminal would.

What it costs depends on the new bytes alone, never on the size of the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 64 * 1024
_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[()][A-Za-z0-9]|\x1b[=>]")
"""Escape codes that move the cursor or clear; colours (ending in m) are kept."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Za-z0-9]|\x1b[=>]")
_BREAKS = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class Chunk:
    """Whole lines since an offset, the line still being rewritten, and where to go on.

    ``start`` and ``end`` are byte offsets; ``end`` is where the next read begins, just after a
    line break. ``skipped`` bytes lay between the asked offset and ``start`` because the reader
    fell behind. ``size`` is the log's size in bytes.
    """

    lines: tuple[str, ...]
    live: str
    end: int
    start: int = 0
    skipped: int = 0
    size: int = 0


def read(path: Path, offset: int = 0, limit: int = MAX_BYTES) -> Chunk:
    """Read at most ``limit`` bytes from ``offset``.

    An offset past the end means that the log was restarted: it is read from the top. More than
    ``limit`` new bytes mean that the reader fell behind: it goes on at the tail. A progress bar
    is rewritten without a newline; its old states are consumed, so they are never sent twice.
    """
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            asked = offset if 0 <= offset <= size else 0
            start = max(asked, size - limit)
            log.seek(start)
            raw = log.read(limit)
    except FileNotFoundError:
        return Chunk((), "", 0)
    skipped = start - asked
    if skipped:
        # The tail begins in the middle of a line, which would be shown cut.
        found = _BREAKS.search(raw)
        cut = found.end() if found else 0
        start, raw, skipped = start + cut, raw[cut:], skipped + cut
    whole, newline, rest = raw.rpartition(b"\n")
    lines = tuple(settled(line) for line in whole.split(b"\n")) if newline else ()
    if newline and whole == b"":
        lines = ("",)
    end = start + len(whole) + len(newline)
    rest, consumed = _live(rest, limit)
    return Chunk(lines, settled(rest), end + consumed, start, skipped, size)


def _live(rest: bytes, limit: int) -> tuple[bytes, int]:
    """The live line and how many bytes of it are over: all before its last rewrite.

    A line longer than half a chunk without any break is consumed as well, so that a reader
    always gets on.
    """
    before, mark, after = rest.rstrip(b"\r").rpartition(b"\r")
    if mark:
        return after, len(before) + 1
    if len(rest) > limit // 2:
        return rest, len(rest)
    return rest, 0


def settled(line: bytes) -> str:
    """What a terminal would show of a line: the text after the last carriage return."""
    shown = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
    if "\x00" in shown:
        shown = _without_holes(shown)
    return _MOVES.sub("", shown)


def _without_holes(text: str) -> str:
    """Bytes that were removed from a flooded log read as NUL."""
    return re.sub("\x00+", lambda m: f"... {len(m.group())} bytes removed ...", text)


class Follower:
    """Gives a parser the pieces of a log: text between line breaks and carriage returns."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._rest = b""
        self.offset = offset
        """How many bytes were handed out as whole pieces."""

    def pieces(self, max_bytes: int) -> list[str]:
        """New whole pieces, from at most ``max_bytes`` bytes. Escape codes are removed."""
        try:
            with self._path.open("rb") as log:
                size = log.seek(0, 2)
                if self.offset > size:
                    self.offset, self._rest = 0, b""
                log.seek(self.offset + len(self._rest))
                raw = self._rest + log.read(max_bytes)
        except FileNotFoundError:
            return []
        parts = _BREAKS.split(raw)
        self._rest = parts.pop()
        self.offset += len(raw) - len(self._rest)
        return [text for part in parts if (text := _plain(part))]

    def finish(self) -> list[str]:
        """The unfinished rest, once the writer is gone."""
        rest, self._rest = self._rest, b""
        self.offset += len(rest)
        return [text] if (text := _plain(rest)) else []


def _plain(part: bytes) -> str:
    return _ESCAPES.sub("", part.decode("utf-8", "replace")).strip("\x00")
