"""Login and logout."""

from __future__ import annotations

import threading
import time
from collections import deque

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app import access
from app.platform import current
from app.web import guard

bp = Blueprint("auth", __name__)

MOST_FAILURES = 10
WINDOW_SECONDS = 60.0
_failures: deque[float] = deque(maxlen=MOST_FAILURES)
_lock = threading.Lock()


def _too_many() -> bool:
    """Whether guessing has to wait: ten failures within a minute, by anybody."""
    with _lock:
        now = time.monotonic()
        return len(_failures) == MOST_FAILURES and now - _failures[0] < WINDOW_SECONDS


@bp.get("/login")
def login() -> ResponseReturnValue:
    secret = access.token(current().settings)
    given = request.args.get("token")
    if secret and given and not _too_many() and access.same(given, secret):
        return guard.let_in(request.args.get("next", "/"), secret)
    return render_template(
        "pages/login.html", next=request.args.get("next", "/"), has_token=bool(secret)
    )


@bp.post("/login")
def enter() -> ResponseReturnValue:
    secret = access.token(current().settings)
    target = request.form.get("next", "/")
    if _too_many():
        error = "Too many wrong tokens. Wait a minute, then try again."
        return render_template("pages/login.html", next=target, has_token=True, error=error), 429
    if secret and access.same(request.form.get("token", "").strip(), secret):
        return guard.let_in(target, secret)
    with _lock:
        _failures.append(time.monotonic())
    error = "That is not the token. It was printed where the program was started."
    return render_template(
        "pages/login.html", next=target, has_token=bool(secret), error=error
    ), 401


@bp.post("/logout")
def leave() -> ResponseReturnValue:
    response = redirect("/login", 303)
    response.delete_cookie(guard.COOKIE)
    return response
