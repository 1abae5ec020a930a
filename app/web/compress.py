"""Gzip for text, since a rented machine is often behind a slow tunnel."""

from __future__ import annotations

import gzip
import zlib
from functools import lru_cache
from typing import Any

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


_GZIP = 16 + zlib.MAX_WBITS
_STYLED = b"</style>"


@lru_cache(maxsize=4)  # themes; a quarter of a megabyte each
def _begun(head: bytes) -> tuple[Any, bytes]:
    """A compressor that has read `head`, and what it has written of it."""
    packer = zlib.compressobj(5, zlib.DEFLATED, _GZIP)
    return packer, packer.compress(head)


def _packed(page: bytes) -> bytes:
    """Each page begins with the same styles, half of its bytes: they are compressed once."""
    head, styled, rest = page.partition(_STYLED)
    if not styled:
        return gzip.compress(page, 5, mtime=0)
    begun, packed = _begun(head)
    packer = begun.copy()
    own: bytes = packer.compress(styled + rest) + packer.flush()
    return packed + own


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
