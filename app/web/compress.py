"""Gzip for text, since a rented machine is often behind a slow tunnel; and styles into pages."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache

from flask import Flask, Response, request

from app.web import styles
from app.web.styles import Sheet

SMALLEST = 600
_TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml")


def install(app: Flask) -> None:
    """Put styles into pages, and compress every textual answer of some size."""
    app.after_request(_finish)


@lru_cache(maxsize=32)
def _kept(data: bytes) -> bytes:
    """Static files are compressed once, and well."""
    return gzip.compress(data, 9, mtime=0)


_LEVEL = 3
"""Of what is made anew each time. 5 would send 3 to 8 % less, for up to two thirds more time."""
_RAW = -zlib.MAX_WBITS
_HEADER = gzip.compress(b"", mtime=0)[:10]


@cache  # as many as there are sheets in templates
def _well(sheet: Sheet) -> bytes:
    """Styles, the same on each page, are compressed once; anything can stand before and behind them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return packer.compress(sheet.data) + packer.flush(zlib.Z_FULL_FLUSH)


def _packed(parts: Iterable[bytes | Sheet]) -> bytes:
    """One gzip file of them all (RFC 1952)."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    packed, checksum, size = [_HEADER], 0, 0
    for part in parts:
        data = part.data if isinstance(part, Sheet) else part
        checksum, size = zlib.crc32(data, checksum), size + len(data)
        if isinstance(part, Sheet):
            packed += packer.flush(zlib.Z_FULL_FLUSH), _well(part)
        else:
            packed.append(packer.compress(part))
    packed += packer.flush(), struct.pack("<II", checksum, size & 0xFFFFFFFF)
    return b"".join(packed)


def _is_packed(response: Response) -> bool:
    """Whether the answer is text for somebody who takes it compressed, and not compressed yet."""
    return (
        response.status_code in (200, 401, 404, 409, 422)
        and "gzip" in request.headers.get("Accept-Encoding", "")
        and not response.headers.get("Content-Encoding")
        and (response.mimetype or "").startswith(_TEXT)
        and "attachment" not in response.headers.get("Content-Disposition", "")
        and (not response.is_streamed or request.endpoint == "static")
    )


def _finish(response: Response) -> Response:
    """The answer with its styles, compressed where that serves."""
    if not _is_packed(response):
        if styles.used() and not response.is_streamed:
            parts = styles.parts_of(response.get_data())
            response.set_data(b"".join(p.data if isinstance(p, Sheet) else p for p in parts))
        return response
    response.direct_passthrough = False
    sent = response.response
    data = response.get_data()
    if response.response is not sent and hasattr(sent, "close"):
        sent.close()
    if len(data) < SMALLEST and not styles.used():
        return response
    kept = request.endpoint in ("static", "bundle")
    response.set_data(_kept(data) if kept else _packed(styles.parts_of(data)))
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
