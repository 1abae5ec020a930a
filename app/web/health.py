"""/healthz: whether the program works. Open to all, so it says nothing private."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import db
from app.platform import current

bp = Blueprint("health", __name__)

LATE_SECONDS = 30.0


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    platform = current()
    last = platform.supervisor.last_tick
    age = None if last is None else time.monotonic() - last
    checks = {
        "database": _database(),
        # Before the first tick the program is starting, which is no illness.
        "supervisor": age is None or age < LATE_SECONDS,
        "disk": _has_room(platform.settings.data_dir),
    }
    healthy = all(checks.values())
    body = {
        "status": "ok" if healthy else "ill",
        **{name: "ok" if fine else "ill" for name, fine in checks.items()},
        "last_tick_seconds": None if age is None else round(age, 1),
    }
    return body, 200 if healthy else 503


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free > 0
    except OSError:  # it is gone, or its disk is
        return False


def _database() -> bool:
    try:
        return bool(db.session.execute(text("SELECT count(*) >= 0 FROM job")).scalar())
    except SQLAlchemyError:
        return False
