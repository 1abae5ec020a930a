"""The Engines page: what is installed, and how to get the rest."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from app.errors import NotFoundError
from app.jobs import doctor, installations, installing, service
from app.platform import current
from app.web import htmx
from engines.spec import ENGINE_NAMES, EngineName

bp = Blueprint("engines", __name__)


@bp.get("/engines")
def index() -> ResponseReturnValue:
    library, settings = current().options, current().settings
    shown = [
        (found, installations.commit_of(found.home), library.now(found))
        for found in service.engines()
    ]
    return render_template(
        "pages/engines.html",
        engines=shown,
        differences=doctor.differences,
        installs={name: installing.newest(name) for name in ENGINE_NAMES},
        elsewhere={name: installing.elsewhere(settings, name) for name in ENGINE_NAMES},
        tail=lambda task: installing.log_tail(settings, task),
    )


@bp.post("/engines/<engine>/install")
def install(engine: EngineName) -> ResponseReturnValue:
    installing.start(current().settings, _known(engine))
    return redirect("/engines", 303)


@bp.get("/engines/<engine>/log")
def log(engine: str) -> ResponseReturnValue:
    """The end of the log of the newest installation."""
    task = installing.newest(_known(engine))
    if task is None:
        raise NotFoundError(f"{engine} was not installed from here.")
    text = installing.log_tail(current().settings, task)
    version = f"{task.id}.{len(text)}.{hash(text) & 0xFFFF:x}.{task.state}"
    return htmx.fragment("engine_log", version=version, task=task, engine=engine, text=text)


def _known(engine: str) -> EngineName:
    if engine not in ENGINE_NAMES:
        raise NotFoundError(f"There is no engine {engine}.")
    return engine
