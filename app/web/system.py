"""The System page: settings, GPUs, disk."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.jobs import guards, store
from app.platform import current
from app.settings import SETTINGS

bp = Blueprint("system", __name__)

_SECRET = frozenset({"AUTH_TOKEN", "HF_TOKEN", "CONTAINER_API_KEY"})


@bp.get("/system")
def index() -> ResponseReturnValue:
    platform = current()
    return render_template(
        "pages/system.html",
        rows=[(s, _shown(s.name)) for s in SETTINGS],
        report=platform.gpus.report(),
        disk=shutil.disk_usage(platform.settings.data_dir),
        soft=platform.settings.disk_soft_gb * guards.GB,
        held=store.fact("held"),
        data_dir=platform.settings.data_dir,
        supervising=platform.supervisor.is_first,
    )


def _shown(name: str) -> str:
    """The value in force; a secret only as whether it is set."""
    values: dict[str, Any] = dataclasses.asdict(current().settings)
    value = values.get(name.lower())
    if name in _SECRET:
        return "set" if value else "not set"
    if name == "DATABASE_URL" and "@" in str(value):
        return "set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
