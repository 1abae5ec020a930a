"""The one place where errors become answers."""

from __future__ import annotations

import errno
import logging
import os
from typing import NamedTuple

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import BadHost, HTTPException

from app.datasets.seeing import is_full
from app.db import Trouble, db, trouble
from app.errors import InvalidSpecError, UserError
from app.platform import current
from app.web import htmx

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(UserError, _user_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(OSError, _file_error)
    app.register_error_handler(OverflowError, _too_large)
    app.register_error_handler(Exception, _unforeseen)


def _answer(text: str, status: int, title: str) -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        return jsonify({"error": text}), status
    if htmx.is_htmx():
        return render_template("fragments/flash.html", text=text), status
    return render_template("pages/error.html", text=text, title=title, status=status), status


def _user_error(error: UserError) -> ResponseReturnValue:
    if isinstance(error, InvalidSpecError) and request.path.startswith("/api/"):
        return jsonify({"error": str(error), "errors": error.errors}), error.status
    return _answer(str(error), error.status, "That did not work")


def _database_error(error: DBAPIError) -> ResponseReturnValue:
    """What ails the disk is the user's to mend; a statement that was wrong is not."""
    db.session.rollback()
    found: Trouble = trouble(error)
    return _trouble("gone" if found == "disk" and _is_gone() else found, error)


def _file_error(error: OSError) -> ResponseReturnValue:
    kinds = {errno.EROFS: "read-only", errno.EIO: "disk", errno.ESTALE: "disk"}
    kind = "full" if is_full(error) else kinds.get(error.errno or 0, "")
    return _trouble("gone" if _is_gone() else kind, error)


def _is_gone() -> bool:
    return not os.path.isdir(current().settings.data_dir)


class _Told(NamedTuple):
    status: int
    title: str
    text: str


_NOT_WRITTEN = "so nothing could be written down."
_TROUBLES = {
    "full": _Told(
        507,
        "The disk is full",
        f"The disk is full, {_NOT_WRITTEN} Free some, then try again.",
    ),
    "read-only": _Told(
        503,
        "The data folder cannot be written",
        f"The data folder is read-only, {_NOT_WRITTEN} Mend its disk or its rights, then try again.",
    ),
    "busy": _Told(
        503,
        "The database is busy",
        f"Another program keeps the database, {_NOT_WRITTEN} Try again when it has ended.",
    ),
    "damaged": _Told(
        500,
        "The database is damaged",
        "The database cannot be read. Put a copy in its place, as the operator guide tells; runs lie beside it.",
    ),
    "disk": _Told(
        503,
        "The disk does not work",
        "The disk of the data folder does not answer. See the system's log, then start this program again.",
    ),
    "gone": _Told(
        503,
        "The data folder is gone",
        "The data folder is not there any more. Mount its disk or put it back, then start this program again.",
    ),
}
"""By what ails the disk or the database: what happened, and what to do next."""


def _trouble(kind: str, error: Exception) -> ResponseReturnValue:
    if kind not in _TROUBLES:
        return _unforeseen(error)
    log.error("%s %s: %s", request.method, request.path, error)
    told = _TROUBLES[kind]
    return _answer(told.text, told.status, told.title)


def _too_large(error: OverflowError) -> ResponseReturnValue:
    """A number in an address that no row can have; any other overflow is ours."""
    db.session.rollback()
    if "SQLite INTEGER" not in str(error):
        return _unforeseen(error)
    return _answer("There is nothing at this address: its number is too large.", 404, "Not Found")


def _http_error(error: HTTPException) -> ResponseReturnValue:
    texts = {
        404: "There is nothing at this address. It may have been deleted.",
        405: "This address cannot be used like that.",
        400: "The request is not well-formed.",
        413: "That is too large for one request.",
    }
    status = error.code or 500
    if isinstance(error, BadHost):
        # Without a host there are no addresses, and so no page of ours.
        return Response(
            "The Host header of this request is not a host.\n", 400, mimetype="text/plain"
        )
    if status < 400 or (error.response is not None):
        return error
    return _answer(texts.get(status, error.description or error.name), status, error.name)


def _unforeseen(error: Exception) -> ResponseReturnValue:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    text = "An error of this program. It was written to its log; running jobs are not affected."
    return _answer(text, 500, "Something went wrong")
