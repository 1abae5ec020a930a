"""The one place that looks at HX-* request headers."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue


def is_htmx() -> bool:
    """Whether a fragment of a page asks, not a person's navigation."""
    return request.headers.get("HX-Request") == "true"


def shows(version: str) -> bool:
    """Whether the page that polls shows this very version: then 204 is the answer, and cheap."""
    return request.args.get("v") == version


def fragment(name: str, *, version: str, **context: Any) -> ResponseReturnValue:
    """Answer a poll: 204, which swaps nothing, if the page already shows ``version``."""
    if shows(version):
        return "", 204
    return render_template(f"fragments/{name}.html", version=version, **context)


def after(name: str, *, to: str, **context: Any) -> ResponseReturnValue:
    """Answer an action: the new fragment to HTMX, a redirect to a plain form."""
    if not is_htmx():
        return redirect(to, 303)
    response = make_response(render_template(f"fragments/{name}.html", **context))
    response.headers["Vary"] = "HX-Request"
    return response
