"""A zip of files as they are (stored), laid out beforehand, so that any byte range can be served.

Nothing is written to disk. Where each byte lies follows from names and sizes alone; the sums
(CRC-32) that stand in a file's header and in the directory at the end are computed when those
bytes are asked for, and remembered by path, time and size. So the first byte waits for the first
file only, and a download that goes on after a break continues the very same archive.
Format: PKWARE APPNOTE 6.3, with ZIP64 where sizes or offsets need it.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_LIMIT = 0xFFFFFFFF
_REMEMBERED = 24_000
_crcs: OrderedDict[tuple[Path, int, int], int] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class _Member:
    name: bytes
    path: Path
    size: int
    mtime_ns: int
    offset: int

    @property
    def big(self) -> bool:
        return self.size >= _LIMIT or self.offset >= _LIMIT

    @property
    def header_size(self) -> int:
        return 30 + len(self.name) + (20 if self.big else 0)

    @property
    def entry_size(self) -> int:
        return 46 + len(self.name) + (28 if self.big else 0)

    def header(self) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.size) if self.big else b""
        size = _LIMIT if self.big else self.size
        date, clock = _dos_time(self.mtime_ns / 1e9)
        head = struct.pack(
            "<4sHHHHHIIIHH", b"PK\3\4", 45 if self.big else 20, 0x800, 0, clock, date,
            _crc(self), size, size, len(self.name), len(extra),
        )  # fmt: skip
        return head + self.name + extra

    def entry(self) -> bytes:
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.size, self.offset) if self.big else b""
        size, offset = (_LIMIT, _LIMIT) if self.big else (self.size, self.offset)
        version = 45 if self.big else 20
        date, clock = _dos_time(self.mtime_ns / 1e9)
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0x300 | version, version, 0x800, 0, clock, date,
            _crc(self), size, size, len(self.name), len(extra), 0, 0, 0, 0o100644 << 16, offset,
        )  # fmt: skip
        return head + self.name + extra


class StoredZip:
    """The archive of ``members``, (name in the archive, file), in that order.

    ``size`` is its length in bytes, known without reading a file; ``etag`` changes whenever a
    name, a size or a time does. Raises OSError if a member is not there.
    """

    def __init__(self, members: Sequence[tuple[str, Path]]) -> None:
        self._members: list[_Member] = []
        offset = 0
        for name, path in members:
            stat = path.stat()
            member = _Member(name.encode(), path, stat.st_size, stat.st_mtime_ns, offset)
            self._members.append(member)
            offset += member.header_size + member.size
        self._directory_at = offset
        self._directory_size = sum(member.entry_size for member in self._members)
        self.size = offset + self._directory_size + len(self._end())
        told = "".join(f"{m.name!r}{m.size}.{m.mtime_ns}" for m in self._members)
        self.etag = hashlib.sha256(told.encode()).hexdigest()[:32]

    def _end(self) -> bytes:
        offset, size, count = self._directory_at, self._directory_size, len(self._members)
        many = count >= 0xFFFF or offset >= _LIMIT or size >= _LIMIT
        end = b""
        if many:
            end += struct.pack(
                "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset
            )
            end += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
        shown = (0xFFFF, _LIMIT, _LIMIT) if many else (count, size, offset)
        return end + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, shown[0], shown[0], *shown[1:], 0)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``.

        Raises OSError in mid-way if a file is no longer what it was when this was laid out.
        """
        for member in self._members:
            if member.offset >= end:
                return
            data_at = member.offset + member.header_size
            if start < data_at:
                yield from _part(member.header(), member.offset, start, end)
            first, last = max(0, start - data_at), min(member.size, end - data_at)
            if first < last:
                yield from _file_part(member, first, last)
        if end > self._directory_at:
            directory = b"".join(member.entry() for member in self._members) + self._end()
            yield from _part(directory, self._directory_at, start, end)


def _part(data: bytes, at: int, start: int, end: int) -> Iterator[bytes]:
    piece = data[max(0, start - at) : max(0, end - at)]
    if piece:
        yield piece


def _file_part(member: _Member, first: int, last: int) -> Iterator[bytes]:
    with member.path.open("rb") as file:
        stat = os.fstat(file.fileno())
        if (stat.st_mtime_ns, stat.st_size) != (member.mtime_ns, member.size):
            raise OSError(f"{member.path} changed while it was being sent")
        file.seek(first)
        left = last - first
        while left > 0:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise OSError(f"{member.path} became shorter while it was being sent")
            left -= len(block)
            yield block


def _crc(member: _Member) -> int:
    """The file's sum. Reads the file where the sum is not remembered."""
    key = (member.path, member.mtime_ns, member.size)
    with _lock:
        if key in _crcs:
            _crcs.move_to_end(key)
            return _crcs[key]
    crc = 0
    for block in _file_part(member, 0, member.size):
        crc = zlib.crc32(block, crc)
    with _lock:
        _crcs[key] = crc
        while len(_crcs) > _REMEMBERED:
            _crcs.popitem(last=False)
    return crc


def _dos_time(seconds: float) -> tuple[int, int]:
    """(date, time) as DOS kept them: from 1980, in steps of two seconds."""
    t = time.localtime(max(seconds, 315_619_200))
    date = (t.tm_year - 1980) << 9 | t.tm_mon << 5 | t.tm_mday
    return date, t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec // 2
