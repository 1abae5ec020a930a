"""The System page: settings, GPUs, disk."""

from __future__ import annotations

import shutil
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.jobs import guards, store
from app.platform import current
from app.setting import SECRET
from app.settings import SETTINGS, Settings
from engines.registry import ENGINE_NAMES, setting_prefix

bp = Blueprint("system", __name__)


@bp.get("/system")
def index() -> ResponseReturnValue:
    platform = current()
    report, disk = platform.gpus.report(), shutil.disk_usage(platform.settings.data_dir)
    soft = platform.settings.disk_soft_gb * guards.GB
    given, values = platform.settings.given, _values(platform.settings)
    rows = [(s, _shown(s.name, values.get(s.name, given.get(s.name)))) for s in SETTINGS]
    return render_template(
        "pages/system.html",
        chosen=[row for row in rows if row[0].name in given],
        usual=[row for row in rows if row[0].name not in given],
        report=report,
        lost=[gpu for gpu in report.gpus if not gpu.usable],
        disk=disk,
        soft=soft,
        held=store.fact("held"),
        data_dir=platform.settings.data_dir,
        supervising=platform.supervisor.is_first,
    )


def _shown(name: str, value: object) -> str:
    """The value in force; a secret, and an address with a password, only as whether it is set."""
    if name in SECRET:
        return "set" if value is not None else "not set"
    if "://" in str(value) and "@" in str(value):
        return "set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, frozenset):
        return ",".join(map(str, sorted(value)))
    return "" if value is None else str(value)


def _values(settings: Settings) -> dict[str, Any]:
    """What is in force, by the name of its setting, where it is not just as it was written."""
    found: dict[str, Any] = {
        name.upper(): value for name, value in vars(settings).items() if value is not None
    }
    for name in ENGINE_NAMES:
        prefix = setting_prefix(name)
        found[f"{prefix}_DIR"], found[f"{prefix}_PYTHON"] = settings.engine_places[name]
    return found
