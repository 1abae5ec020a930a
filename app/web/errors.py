"""The one place where errors become answers."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import BadHost, HTTPException

from app.db import db
from app.errors import InvalidSpecError, UserError
from app.web import disk_errors, homes, htmx

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
    title = "Not found" if error.status == 404 else "That did not work"
    return _answer(str(error), error.status, title)


def _database_error(error: DBAPIError) -> ResponseReturnValue:
    db.session.rollback()
    return _of_the_disk(disk_errors.of_database(error), error)


def _file_error(error: OSError) -> ResponseReturnValue:
    db.session.rollback()
    return _of_the_disk(disk_errors.of_file(error), error)


def _of_the_disk(told: disk_errors.Told | None, error: Exception) -> ResponseReturnValue:
    if told is None:
        return _unforeseen(error)
    log.error("%s %s: %s", request.method, request.path, error)
    return _answer(*told)


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
    if status == 405 and request.method == "GET" and not request.path.startswith("/api/"):
        return redirect(homes.of_action(request.path), 303)
    return _answer(texts.get(status, error.description or error.name), status, error.name)


def _unforeseen(error: Exception) -> ResponseReturnValue:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    text = "An error of this program. It was written to its log; running jobs are not affected."
    return _answer(text, 500, "Something went wrong")
