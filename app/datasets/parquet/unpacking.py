"""Unpacks a page to the size that it declares, never to more."""

from __future__ import annotations

import zlib

from app.datasets.parquet.errors import TornError, UnsupportedError

MOST_BYTES = 1 << 30
"""Of one page. Libraries write pages of about 1 MB, and larger ones where a row is larger."""
_SUSPICIOUS, _MOST_RATIO = 64 << 20, 300
"""More out of a page than so many times its size is no picture, where that is much."""
_NAMES = ("none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4")


def unpack(codec: int, data: bytes, size: int) -> bytes:
    """Raises TornError where it is not of that ``size``, UnsupportedError for other ways of packing."""
    if not 0 <= size <= MOST_BYTES or (size > _SUSPICIOUS and size > _MOST_RATIO * len(data)):
        raise TornError(f"a page of {size} bytes out of {len(data)}")
    found: bytes | bytearray = data
    if codec == 0:
        pass  # it lies there as it is
    elif codec == 1:
        found = _snappy(data, size)
    elif codec == 2:
        found = zlib.decompressobj(47).decompress(data, size + 1)
    else:
        raise UnsupportedError(f"packed with {dict(enumerate(_NAMES)).get(codec, codec)}")
    if len(found) != size:
        raise TornError("a page has another size than it says")
    return bytes(found)


def _snappy(data: bytes, size: int) -> bytearray:
    """Pictures are packed already, so that nearly all of it are literal runs of up to 64 KB."""
    declared, at = _length(data)
    if declared != size:
        raise TornError("a page has another size than it says")
    out, done = bytearray(size), 0
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                more = length - 60
                length = int.from_bytes(data[at : at + more], "little") + 1
                at += more
            if at + length > len(data) or done + length > size:
                raise TornError("a page is cut")
            out[done : done + length] = data[at : at + length]
            at += length
        else:
            length, offset, at = _copy(data, tag, at)
            if not 0 < offset <= done or done + length > size:
                raise TornError("a page is spoiled")
            begin = done - offset
            # What is copied may run into what it makes: it then repeats.
            piece = bytes(out[begin : min(begin + length, done)])
            out[done : done + length] = (piece * (length // len(piece) + 1))[:length]
        done += length
    if done != size:
        raise TornError("a page is cut")
    return out


def _length(data: bytes) -> tuple[int, int]:
    found = 0
    for at, byte in enumerate(data[:5]):
        found |= (byte & 127) << 7 * at
        if byte < 128:
            return found, at + 1
    raise TornError("a page is spoiled")


def _copy(data: bytes, tag: int, at: int) -> tuple[int, int, int]:
    """Length and offset of a copy, and where the next element begins."""
    size = {1: 1, 2: 2, 3: 4}[tag & 3]
    if at + size > len(data):
        raise TornError("a page is cut")
    offset = int.from_bytes(data[at : at + size], "little")
    if tag & 3 == 1:
        return ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | offset, at + size
    return (tag >> 2) + 1, offset, at + size
