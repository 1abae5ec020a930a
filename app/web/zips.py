"""Answers with a zip that is made while it is sent, with ranges, so that a broken download goes on."""

from __future__ import annotations

from flask import Response, request
from werkzeug.http import parse_range_header

from app.artifacts.zipping import StoredZip


def answer(archive: StoredZip, name: str) -> Response:
    """The archive, or the one range of it that was asked for, to be saved as ``name``."""
    response = Response(mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Accept-Ranges"] = "bytes"
    response.set_etag(archive.etag)
    start, end = 0, archive.size
    ranges = parse_range_header(request.headers.get("Range"))
    unchanged = "If-Range" not in request.headers or archive.etag in request.headers["If-Range"]
    if ranges is not None and ranges.units == "bytes" and len(ranges.ranges) == 1 and unchanged:
        wanted = ranges.range_for_length(archive.size)
        if wanted is None:
            response.headers["Content-Range"] = f"bytes */{archive.size}"
            response.status_code = 416
            return response
        start, end = wanted
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{archive.size}"
    response.headers["Content-Length"] = str(end - start)
    if request.method != "HEAD":
        response.response = archive.read(start, end)
    return response
