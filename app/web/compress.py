"""Gzip for text, since a rented machine is often behind a slow tunnel."""

from __future__ import annotations

import gzip
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
    packed = (
        _kept(data) if request.endpoint in ("static", "bundle") else gzip.compress(data, 5, mtime=0)
    )
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
