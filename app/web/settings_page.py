"""The Settings page: who is told, where copies go, and the sound of this browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import delivery, notify
from app.base_models.tokens import hf_token
from app.delivery.targets import KINDS, WHEN
from app.errors import InvalidSpecError
from app.platform import current

bp = Blueprint("settings_page", __name__, url_prefix="/settings")

_SECRETS = frozenset({"address", "token", "key"})


@bp.get("")
def index() -> ResponseReturnValue:
    return _page()


def _page(section: str = "", errors: dict[str, str] | None = None) -> str:
    """The page; after a refusal with what was typed, but for secrets."""
    platform = current()
    typed = {k: v for k, v in request.form.items() if k not in _SECRETS}
    return render_template(
        "pages/settings.html",
        people=[(target, notify.test_of(target.id)) for target in notify.targets()],
        events=notify.EVENTS,
        places=delivery.targets(),
        kinds=KINDS,
        what_names=delivery.WHAT,
        when_names=WHEN,
        remotes=_remotes(),
        has_hub_token=bool(hf_token(platform.settings)),
        section=section,
        errors=errors or {},
        typed=typed if section else {},
        ticked=set(request.form.getlist("events") + request.form.getlist("what"))
        if section
        else None,
    )


def _remotes() -> list[str]:
    from app.delivery import rclone

    return rclone.remotes()


@bp.post("/notifications")
def add_notification() -> ResponseReturnValue:
    form = request.form
    try:
        notify.add(form.get("name", ""), form.get("address", ""), form.getlist("events"))
    except InvalidSpecError as error:
        return _page("notifications", error.errors), 422
    return _back("notifications")


@bp.post("/notifications/<target>")
def change_notification(target: str) -> ResponseReturnValue:
    notify.change(target, request.form.getlist("events"))
    return _back("notifications")


@bp.post("/notifications/<target>/test")
def test_notification(target: str) -> ResponseReturnValue:
    notify.test(target)
    return _back("notifications")


@bp.post("/notifications/<target>/remove")
def remove_notification(target: str) -> ResponseReturnValue:
    notify.remove(target)
    return _back("notifications")


@bp.post("/deliveries")
def add_delivery() -> ResponseReturnValue:
    fields: dict[str, Any] = request.form.to_dict()
    kind = fields.pop("kind", "")
    try:
        delivery.add(kind, fields, request.form.getlist("what"))
    except InvalidSpecError as error:
        return _page(kind, error.errors), 422
    return _back("delivery")


@bp.post("/deliveries/<target>")
def change_delivery(target: str) -> ResponseReturnValue:
    form = request.form
    try:
        delivery.change(target, form.get("automatic", ""), form.getlist("what"))
    except InvalidSpecError as error:
        return _page(target, error.errors), 422
    return _back("delivery")


@bp.post("/deliveries/<target>/remove")
def remove_delivery(target: str) -> ResponseReturnValue:
    delivery.remove(target)
    return _back("delivery")


def _back(section: str) -> ResponseReturnValue:
    return redirect(url_for(".index", _anchor=section), 303)
