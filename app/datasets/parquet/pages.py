"""The values of one column in one group of rows, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.datasets.parquet.errors import TornError, UnsupportedError
from app.datasets.parquet.thrift import Reader
from app.datasets.parquet.unpacking import MOST_BYTES, unpack

_HEADER_BYTES = 64 * 1024
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8

Value = bytes | None


@dataclass(frozen=True)
class Chunk:
    """Where the values of a column are: ``count`` of them from ``begin``, each present where its
    level is ``level``."""

    begin: int
    count: int
    codec: int
    level: int


def values(file: BinaryIO, chunk: Chunk) -> Iterator[Value]:
    """All of them in order, None for what is not there."""
    at, left, known = chunk.begin, chunk.count, []
    while left > 0:
        file.seek(at)
        head = Reader(file.read(_HEADER_BYTES))
        header = head.struct()
        size = header[3]
        if not 0 <= size <= MOST_BYTES:
            raise TornError(f"a page of {size} bytes")
        file.seek(at + head.at)
        data = file.read(size)
        if len(data) != size:
            raise TornError("it is cut")
        at += head.at + size
        if header[1] == _DICTIONARY:
            plain = unpack(chunk.codec, data, header[2])
            known = list(_plain(plain, header[7][1]))
        elif header[1] in (_DATA, _DATA_2):
            about = header[5 if header[1] == _DATA else 8]
            if not 0 < about[1] <= left:
                raise TornError("a page has more values than its column")
            left -= about[1]
            levels, rest, encoding = _split(header, data, chunk)
            yield from _page(levels, rest, encoding, known, chunk.level)


def _split(header: dict, data: bytes, chunk: Chunk) -> tuple[list[int], bytes, int]:  # type: ignore[type-arg]
    """Levels of a page, the bytes of its values, and how those are written."""
    if header[1] == _DATA:
        about, data = header[5], unpack(chunk.codec, data, header[2])
        if chunk.level == 0:
            return [0] * about[1], data, about[2]
        if about[3] != _RLE:
            raise UnsupportedError("levels of an old kind")
        size = int.from_bytes(data[:4], "little")
        levels = runs(data[4 : 4 + size], chunk.level.bit_length(), about[1])
        return levels, data[4 + size :], about[2]
    about = header[8]
    if about[6]:
        raise UnsupportedError("lists")
    levels = [0] * about[1]
    if chunk.level:
        levels = runs(data[: about[5]], chunk.level.bit_length(), about[1])
    packed = chunk.codec if about.get(7, True) else 0
    rest = unpack(packed, data[about[5] :], header[2] - about[5])
    return levels, rest, about[4]


def _page(
    levels: list[int], data: bytes, encoding: int, known: list[bytes], level: int
) -> Iterator[Value]:
    there = sum(one == level for one in levels)
    if encoding == _PLAIN:
        found = _plain(data, there)
    elif encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
        numbers = runs(data[1:], data[0], there) if there else []
        found = (known[number] for number in numbers)
    else:
        raise UnsupportedError(f"values in encoding {encoding}")
    for one in levels:
        yield next(found) if one == level else None


def _plain(data: bytes, count: int) -> Iterator[bytes]:
    """Each as its length and its bytes."""
    at = 0
    for _ in range(count):
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if at + size > len(data):
            raise TornError("a value is cut")
        yield data[at : at + size]
        at += size


def runs(data: bytes, width: int, count: int) -> list[int]:
    """Small numbers of so many bits: runs of one number, and groups of eight that are packed."""
    if not 0 <= width <= 32:
        raise TornError(f"numbers of {width} bits")
    found: list[int] = []
    at, mask = 0, (1 << width) - 1
    while len(found) < count:
        head = shift = 0
        while True:
            byte = data[at]
            at += 1
            head |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 35:
                raise TornError("a run has no end")
        if head & 1:
            for _ in range(min(head >> 1, (count - len(found) + 7) // 8)):
                packed = int.from_bytes(data[at : at + width], "little")
                found += [packed >> width * n & mask for n in range(8)]
                at += width
        else:
            size = (width + 7) // 8
            number = int.from_bytes(data[at : at + size], "little")
            at += size
            found += [number] * min(head >> 1, count - len(found))
            if head == 0:
                raise TornError("a run of nothing")
    return found[:count]
