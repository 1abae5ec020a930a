"""The self-check page: whether this machine is worth keeping."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from app import tasks
from app.jobs import selfcheck

bp = Blueprint("selfcheck", __name__, url_prefix="/selfcheck")
SUBJECT = "machine"


@bp.get("")
def index() -> ResponseReturnValue:
    found = tasks.find(SUBJECT, selfcheck.KIND, 5)
    done = next((task for task in found if task.state == "done"), None)
    result = tasks.result_of(done) if done is not None else {}
    return render_template(
        "pages/selfcheck.html",
        task=found[0] if found and found[0].state != "done" else None,
        findings=result.get("findings", []),
        at=result.get("at"),
    )


@bp.post("/run")
def run() -> ResponseReturnValue:
    newest = tasks.latest(SUBJECT, selfcheck.KIND)
    if newest is None or newest.is_final:
        tasks.start(selfcheck.KIND, SUBJECT)
    return redirect("/selfcheck", 303)
