"""Login and logout."""

from __future__ import annotations

import math

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from app import access, tokens
from app.db import db
from app.platform import current
from app.web import guard, visitor

bp = Blueprint("auth", __name__)


@bp.get("/login")
def login() -> ResponseReturnValue:
    given = request.args.get("token")
    if given and (found := guard.look(given)[0]):
        return guard.let_in(request.args.get("next", "/"), found)
    return _page(request.args.get("next", "/"))


@bp.post("/login")
def enter() -> ResponseReturnValue:
    target = request.form.get("next", "/")
    found, wait = guard.look(request.form.get("token", "").strip())
    if found is not None:
        return guard.let_in(target, found)
    if wait:
        error = f"Too many wrong tokens. Wait {_time(wait)}, then try again."
        return _page(target, error), 429, {"Retry-After": str(math.ceil(wait))}
    return _page(target, "That is not a token of this dashboard, or it was revoked."), 401


def _page(target: str, error: str = "") -> str:
    return render_template(
        "pages/login.html",
        next=guard.own_address(target),
        has_token=bool(access.token(current().settings)),
        error=error,
    )


def _time(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} minutes" if seconds > 90 else f"{math.ceil(seconds)} seconds"


@bp.post("/logout")
def leave() -> ResponseReturnValue:
    """Ends this login here and for whoever may have copied its cookie."""
    cookie = request.cookies.get(guard.COOKIE, "")
    if visitor.by_cookie(current().settings) and (parts := access.split_cookie(cookie)):
        try:
            tokens.end_session(parts[1])
        except SQLAlchemyError:
            # On a full disk the browser forgets it all the same.
            db.session.rollback()
    response = redirect("/login", 303)
    response.delete_cookie(guard.COOKIE)
    return response
