"""Gzip for text, since a rented machine is often behind a slow tunnel."""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import lru_cache

from flask import Flask, Response, request

SMALLEST = 600
_TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml")


def install(app: Flask) -> None:
    """Compress every textual answer of some size."""
    app.after_request(_compress)


@lru_cache(maxsize=32)
def _kept(data: bytes) -> bytes:
    """Static files are compressed once, and well."""
    return gzip.compress(data, 9, mtime=0)


_LEVEL = 3
"""Of what is made anew each time. 5 would send 3 to 8 % less, for up to two thirds more time."""
_RAW = -zlib.MAX_WBITS
_HEADER = gzip.compress(b"", mtime=0)[:10]
_STYLED = b"</style>"


@lru_cache(maxsize=8)  # themes
def _begun(head: bytes) -> tuple[bytes, int]:
    """The beginning of a gzip file that can be gone on with anything, and its checksum so far."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return _HEADER + packed, zlib.crc32(head)


def _packed(page: bytes) -> bytes:
    """As gzip does it. Each page begins with the same styles: they are compressed once, and well."""
    head, styled, rest = page.partition(_STYLED)
    if not styled:
        return gzip.compress(page, _LEVEL, mtime=0)
    begun, checksum = _begun(head)
    rest = styled + rest
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    end = struct.pack("<II", zlib.crc32(rest, checksum), len(page) & 0xFFFFFFFF)  # RFC 1952
    return begun + packer.compress(rest) + packer.flush() + end


def _compress(response: Response) -> Response:
    if (
        response.status_code not in (200, 401, 404, 409, 422)
        or "gzip" not in request.headers.get("Accept-Encoding", "")
        or response.headers.get("Content-Encoding")
        or not (response.mimetype or "").startswith(_TEXT)
        or "attachment" in response.headers.get("Content-Disposition", "")
        or (response.is_streamed and request.endpoint != "static")
    ):
        return response
    response.direct_passthrough = False
    sent = response.response
    data = response.get_data()
    if response.response is not sent and hasattr(sent, "close"):
        sent.close()
    if len(data) < SMALLEST:
        return response
    packed = _kept(data) if request.endpoint in ("static", "bundle") else _packed(data)
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
