"""Static files: a hash in the address, so that browsers may keep them for ever.

Several scripts that a page needs come as one bundle, so that it costs one request.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, request, url_for

from app.errors import NotFoundError
from app.settings import ROOT

_NAME = re.compile(r"[a-z][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*)*")
"""A file has one name: no part of it is empty or begins with a dot."""


def install(app: Flask) -> None:
    """Add the hash to addresses and the long life to answers."""
    app.url_defaults(_with_hash)
    app.after_request(_keep)
    app.add_url_rule("/static/bundle/<path:names>", "bundle", _bundled)
    app.jinja_env.globals["bundle"] = _bundle_address
    icon = Blueprint("icon", __name__)
    icon.add_url_rule("/favicon.ico", "favicon", lambda: app.send_static_file("favicon.svg"))
    app.register_blueprint(icon)


@cache
def _hash(name: str) -> str:
    path: Path = ROOT / "static" / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else ""


def _bundle_address(*names: str) -> str:
    """The address of several scripts, one after another."""
    joined = "+".join(names)
    return url_for("bundle", names=joined, v=_bundle(joined)[1])


@lru_cache(64)  # anybody may ask for any combination
def _bundle(joined: str) -> tuple[bytes, str]:
    """The bytes of a bundle and their hash. Raises NotFoundError for what is no file of ours."""
    static = ROOT / "static"
    parts, names = [], joined.split("+")
    if len(set(names)) < len(names):
        raise NotFoundError("Each file is in a bundle once.")  # a short address, many megabytes
    for name in names:
        path = static / f"{name}.js"
        if not _NAME.fullmatch(name):
            raise NotFoundError("There is no such bundle.")
        if not path.is_file():
            raise NotFoundError(f"There is no script {name}.js.")
        parts.append(path.read_bytes())
    data = b"\n;\n".join(parts)  # a script may end without a semicolon
    return data, hashlib.sha256(data).hexdigest()[:10]


def _bundled(names: str) -> Response:
    return Response(_bundle(names)[0], mimetype="text/javascript")


def _with_hash(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "v" not in values:
        values["v"] = _hash(values.get("filename", ""))


def _keep(response: Response) -> Response:
    if (
        request.endpoint in ("static", "bundle")
        and response.status_code == 200
        and request.args.get("v")
    ):
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
