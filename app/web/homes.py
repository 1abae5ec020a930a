"""The page that an action stands on, for whoever opens the address of an action as if it were a page.

That is what a browser does with the answer to a refused form when it is reloaded, shared, or brought
back with an old session.
"""

from __future__ import annotations

from flask import Flask, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

_FORM = ("/jobs/", "/jobs/import", "/jobs/export", "/jobs/preview", "/jobs/fields")
_FRAGMENTS = ("tasks.progress", "first_steps.show", "curves.fragment")
"""Answers that are a part of a page, on the way up from an action."""


def install(app: Flask) -> None:
    """The layout marks the place of an answer to a form, and static/app.js gives it its page's address."""
    app.jinja_env.globals["home_of"] = of_action


def of_action(path: str) -> str:
    """Where the answer of an action belongs: the nearest page at or above it, the start page at last."""
    if path in _FORM:
        return "/jobs/new"
    routes = current_app.url_map.bind("")
    while path:
        try:
            endpoint, _ = routes.match(path, method="GET")
        except (HTTPException, RequestRedirect):
            endpoint = None
        if endpoint and endpoint not in _FRAGMENTS:
            return path
        path = path.rpartition("/")[0]
    return "/"
