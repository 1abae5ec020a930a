"""Static files: a hash in the address, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, request

from app.settings import ROOT


def install(app: Flask) -> None:
    """Add the hash to addresses and the long life to answers."""
    app.url_defaults(_with_hash)
    app.after_request(_keep)
    icon = Blueprint("icon", __name__)
    icon.add_url_rule("/favicon.ico", "favicon", lambda: app.send_static_file("favicon.svg"))
    app.register_blueprint(icon)


@cache
def _hash(name: str) -> str:
    path: Path = ROOT / "static" / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else ""


def _with_hash(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "v" not in values:
        values["v"] = _hash(values.get("filename", ""))


def _keep(response: Response) -> Response:
    if request.endpoint == "static" and response.status_code == 200 and request.args.get("v"):
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
