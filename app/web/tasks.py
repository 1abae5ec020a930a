"""Background work on pages: how far it is, cancel, go on, and its log."""

from __future__ import annotations

from flask import Blueprint, redirect, request, send_file
from flask.typing import ResponseReturnValue

from app import tasks
from app.errors import NotFoundError
from app.platform import current
from app.web import guard, htmx

bp = Blueprint("tasks", __name__, url_prefix="/tasks")


@bp.get("/<int:task_id>")
def progress(task_id: int) -> ResponseReturnValue:
    """The fragment of one piece of work. A page is drawn again once it is over: its list changed.

    ``quiet``: what stands around it polls by itself, so that nothing open on the page is lost.
    """
    task = tasks.get(task_id)
    quiet = request.args.get("quiet")
    shown = request.args.get("v", str(task.version))
    if task.is_final and not quiet and shown != str(task.version):
        return "", 200, {"HX-Refresh": "true"}
    return htmx.fragment("task", task=task, version=str(task.version))


@bp.get("/<int:task_id>/log.txt")
def log(task_id: int) -> ResponseReturnValue:
    path = tasks.log_path(current().settings, tasks.get(task_id).id)
    if not path.is_file():
        raise NotFoundError("It wrote no log.")
    return send_file(path, mimetype="text/plain", max_age=0)


@bp.post("/<int:task_id>/cancel")
def cancel(task_id: int) -> ResponseReturnValue:
    tasks.cancel(tasks.get(task_id))
    return _back()


@bp.post("/<int:task_id>/retry")
def retry(task_id: int) -> ResponseReturnValue:
    tasks.retry(tasks.get(task_id))
    return _back()


@bp.post("/<int:task_id>/forget")
def forget(task_id: int) -> ResponseReturnValue:
    tasks.forget(tasks.get(task_id))
    return _back()


def _back() -> ResponseReturnValue:
    """To the page that the button stood on."""
    return redirect(guard.own_address(request.form.get("next", "/")), 303)
