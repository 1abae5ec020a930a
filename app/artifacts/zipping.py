"""A zip of files as they are (stored), laid out beforehand, so that any byte range can be served.

Nothing is written to disk. Each file's CRC is computed once and remembered by path, time and
size. Format: PKWARE APPNOTE 6.3, with ZIP64 where sizes or offsets need it.
"""

from __future__ import annotations

import hashlib
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
_crcs: OrderedDict[tuple[Path, int, int], int] = OrderedDict()
_lock = threading.Lock()
_REMEMBERED = 4096


@dataclass(frozen=True)
class _Member:
    name: bytes
    path: Path
    size: int
    crc: int
    when: tuple[int, int]
    offset: int

    @property
    def big(self) -> bool:
        return self.size >= _LIMIT or self.offset >= _LIMIT

    def local_header(self) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.size) if self.big else b""
        size = _LIMIT if self.big else self.size
        version = 45 if self.big else 20
        head = struct.pack(
            "<4sHHHHHIIIHH", b"PK\3\4", version, 0x800, 0, self.when[1], self.when[0],
            self.crc, size, size, len(self.name), len(extra),
        )  # fmt: skip
        return head + self.name + extra

    def central_header(self) -> bytes:
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.size, self.offset) if self.big else b""
        size, offset = (_LIMIT, _LIMIT) if self.big else (self.size, self.offset)
        version = 45 if self.big else 20
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0x300 | version, version, 0x800, 0, self.when[1],
            self.when[0], self.crc, size, size, len(self.name), len(extra), 0, 0, 0, 0o644 << 16, offset,
        )  # fmt: skip
        return head + self.name + extra


class StoredZip:
    """The archive of ``members``, (name in the archive, file), in that order."""

    def __init__(self, members: Sequence[tuple[str, Path]]) -> None:
        self._members: list[_Member] = []
        offset = 0
        for name, path in members:
            stat = path.stat()
            crc = _crc(path, stat.st_mtime_ns, stat.st_size)
            when = _dos_time(stat.st_mtime)
            member = _Member(name.encode(), path, stat.st_size, crc, when, offset)
            self._members.append(member)
            offset += len(member.local_header()) + member.size
        self._end = self._directory(offset)
        self.size = offset + len(self._end)
        told = "".join(f"{m.name!r}{m.size}{m.crc}" for m in self._members)
        self.etag = hashlib.sha256(told.encode()).hexdigest()[:32]

    def _directory(self, offset: int) -> bytes:
        entries = b"".join(member.central_header() for member in self._members)
        count = len(self._members)
        many = count >= 0xFFFF or offset >= _LIMIT or len(entries) >= _LIMIT
        end = b""
        if many:
            end += struct.pack(
                "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(entries), offset
            )
            end += struct.pack("<4sIQI", b"PK\6\7", 0, offset + len(entries), 1)
        shown = (0xFFFF, _LIMIT, _LIMIT) if many else (count, len(entries), offset)
        end += struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, shown[0], shown[0], shown[1], shown[2], 0)
        return entries + end

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``."""
        at = 0
        for member in self._members:
            header = member.local_header()
            yield from _part(header, at, start, end)
            at += len(header)
            if at < end and at + member.size > start:
                first, last = max(0, start - at), min(member.size, end - at)
                yield from _file_part(member.path, first, last)
            at += member.size
        yield from _part(self._end, at, start, end)


def _part(data: bytes, at: int, start: int, end: int) -> Iterator[bytes]:
    piece = data[max(0, start - at) : max(0, end - at)]
    if piece:
        yield piece


def _file_part(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first
        while left > 0:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise OSError(f"{path} became shorter while it was being sent")
            left -= len(block)
            yield block


def _crc(path: Path, mtime_ns: int, size: int) -> int:
    key = (path, mtime_ns, size)
    with _lock:
        if key in _crcs:
            _crcs.move_to_end(key)
            return _crcs[key]
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    with _lock:
        _crcs[key] = crc
        while len(_crcs) > _REMEMBERED:
            _crcs.popitem(last=False)
    return crc


def _dos_time(seconds: float) -> tuple[int, int]:
    """(date, time) as DOS kept them: from 1980, in steps of two seconds."""
    t = time.localtime(max(seconds, 315_619_200))
    return (
        t.tm_year - 1980
    ) << 9 | t.tm_mon << 5 | t.tm_mday, t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec // 2
