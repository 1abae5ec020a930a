"""Reads a growing log by byte offset, with carriage returns collapsed as a terminal would.

What it costs depends on the new bytes alone, never on the size of the log. A log that flooded
has a hole where its middle was (it reads as NUL); a hole is jumped over and told in one line.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 64 * 1024
LONGEST_LIVE = 4096
"""Bytes of an unfinished line that are shown again; a longer one is wrapped, so never re-sent."""
LONGEST_PIECE = 1 << 20
FINISH_BYTES = 8 << 20

_CODES = r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Za-z0-9]|\x1b[=>78cM]|[\x00-\x08\x0b\x0c\x0e-\x1a]"
_MOVES = re.compile(rf"\x1b\[[0-9;?]*[@-ln-~]|{_CODES}")
"""Codes that move the cursor, clear, or set a title; colours (ending in m) are kept."""
_ESCAPES = re.compile(rf"\x1b\[[0-9;?]*[@-~]|{_CODES}")
_BREAK = re.compile(rb"\r?\n|\r")
_BREAKS = re.compile(rb"[\r\n]")
_NESTED = re.compile(rb"\n[^\n]*?\x1b\[A")
"""A bar below the current line: tqdm goes a line down, draws it, and comes up again."""
_MOST_BLOCKS = 1000
_NULS = b"\x00\x00"


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


def read(path: Path, offset: int = 0, limit: int = MAX_BYTES, *, skip: bool = True) -> Chunk:
    """Read at most ``limit`` bytes from ``offset``.

    An offset past the end means that the log was restarted: it is read from the top. More than
    ``limit`` new bytes mean that the reader fell behind: it goes on at the tail or, without
    ``skip``, where it was. A progress bar is rewritten without a newline; its old states are
    consumed, so they are never sent twice.
    """
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            asked = offset if 0 <= offset <= size else 0
            start = max(asked, size - limit) if skip else asked
            log.seek(start)
            raw = log.read(limit)
            at = start
            note: tuple[str, ...] = ()
            if raw.startswith(_NULS):
                at, note = _over_hole(log, start, size)
                raw = log.read(limit)
    except (FileNotFoundError, NotADirectoryError):
        return Chunk((), "", 0)
    if start > asked and not note:
        # The tail begins in the middle of a line, which would be shown cut.
        found = _BREAK.search(raw)
        cut = found.end() if found else _cut_character(raw)
        start, at, raw = start + cut, at + cut, raw[cut:]
    lines, live, used = _shown(raw)
    return Chunk((*note, *lines), live, at + used, start, start - asked, size)


def _over_hole(log: BinaryIO, start: int, size: int) -> tuple[int, tuple[str, ...]]:
    """Where data go on after ``start``, and a line about what was removed in between."""
    data = start
    # A hole is a whole number of blocks; the bytes just around it are NUL and no hole.
    for _ in range(_MOST_BLOCKS):
        log.seek(data)
        block = log.read(MAX_BYTES)
        data += len(block) - len(block.lstrip(b"\x00"))
        if data < log.tell() or data >= size:
            break
        try:
            data = os.lseek(log.fileno(), data, os.SEEK_DATA)
        except OSError:
            data = size  # nothing but the hole, up to the end
    log.seek(data)
    return data, (f"... {data - start} bytes removed ...",)


def _shown(raw: bytes) -> tuple[list[str], str, int]:
    """Settled lines, the live line, and how many bytes of ``raw`` are over and done with."""
    gap = raw.find(_NULS)
    if gap > 0:
        raw = raw[:gap]
    # Of the same length, so that offsets stay true.
    raw = _NESTED.sub(lambda bar: b"\r" * len(bar.group()), raw)
    whole, newline, rest = raw.rpartition(b"\n")
    lines = [settled(line) for line in whole.split(b"\n")] if newline else []
    before, mark, _ = rest.rstrip(b"\r").rpartition(b"\r")
    rest = rest[len(before) + 1 :] if mark else rest
    if len(rest) > LONGEST_LIVE or gap > 0:
        # Too long to be sent again and again; or what stands before a hole, and is over.
        rest, kept = _split_character(rest) if gap <= 0 else (rest, b"")
        lines += [settled(rest)] if rest else []
        rest = kept
    return lines, settled(rest), len(raw) - len(rest)


def _cut_character(raw: bytes) -> int:
    """How many bytes at the start are the rest of a character that was cut."""
    return next((at for at, byte in enumerate(raw[:4]) if byte & 0xC0 != 0x80), 0)


def _split_character(raw: bytes) -> tuple[bytes, bytes]:
    """Whole characters, and the start of one that is not yet whole."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte & 0xC0 == 0xC0:
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2
            return (raw[:-back], raw[-back:]) if length > back else (raw, b"")
        if byte < 0x80:
            break
    return raw, b""


def settled(line: bytes) -> str:
    """What a terminal would show of a line: the text after the last carriage return."""
    shown = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
    return _MOVES.sub("", shown)


class Follower:
    """Gives a parser the pieces of a log: text between line breaks and carriage returns."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._rest = b""
        self.offset = offset
        """How many bytes were handed out as whole pieces."""

    def pieces(self, max_bytes: int) -> list[str]:
        """New whole pieces, from at most ``max_bytes`` bytes. Escape codes are removed.

        A piece that grows beyond a megabyte is handed out as far as it goes. A log that became
        shorter was restarted: it is read from the top.
        """
        try:
            with self._path.open("rb") as log:
                size = log.seek(0, 2)
                if self.offset + len(self._rest) > size:
                    self.offset, self._rest = 0, b""
                log.seek(self.offset + len(self._rest))
                new = log.read(max_bytes)
                if new.startswith(_NULS):
                    self.offset, _ = _over_hole(log, log.tell() - len(new), size)
                    self._rest, new = b"", log.read(max_bytes)
                read_to = log.tell()
        except (FileNotFoundError, NotADirectoryError):
            return []
        first, *others = _BREAKS.split(new)
        parts = [self._rest + first, *others]
        self._rest = parts.pop()
        if len(self._rest) > LONGEST_PIECE:
            parts.append(self._rest)
            self._rest = b""
        self.offset = read_to - len(self._rest)
        return [text for part in parts if (text := _plain(part))]

    def finish(self) -> list[str]:
        """Everything up to the end, and the unfinished rest, once the writer is gone.

        Of a flood only the last 8 MB are looked at.
        """
        try:
            size = self._path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            size = 0
        if size - self.offset - len(self._rest) > FINISH_BYTES:
            self.offset, self._rest = size - FINISH_BYTES, b""
        pieces = self.pieces(FINISH_BYTES)
        rest, self._rest = self._rest, b""
        self.offset += len(rest)
        return [*pieces, text] if (text := _plain(rest)) else pieces


def _plain(part: bytes) -> str:
    return _ESCAPES.sub("", part.decode("utf-8", "replace"))
