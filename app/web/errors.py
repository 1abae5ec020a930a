"""The one place where errors become answers."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import BadHost, HTTPException

from app.db import db
from app.errors import InvalidSpecError, UserError
from app.web import htmx

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(UserError, _user_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_error)
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


def _database_error(error: OperationalError) -> ResponseReturnValue:
    """A full disk is the user's to mend; any other trouble of the database is not."""
    db.session.rollback()
    if getattr(error.orig, "sqlite_errorname", "") not in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
        return _unforeseen(error)
    text = "The disk is full, so nothing could be written down. Free some, then try again."
    return _answer(text, 507, "The disk is full")


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
