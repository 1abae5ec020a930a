"""The Costs page: what the machine costs, when it is stopped, and the countdown on every page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from app import preferences
from app.jobs import giving_back, meter, pricing
from app.jobs.autostop import Autostop
from app.platform import current
from app.vast import MeterPreferences, tunnels
from app.vast.policy import SOON_SECONDS
from app.web import guard, htmx

bp = Blueprint("meter", __name__, url_prefix="/meter")

_NUMBERS = ("price", "grace_minutes", "max_cost", "max_hours")


def install(app: Flask) -> None:
    """Every page can show the countdown; and whoever changes something is at work here."""
    app.context_processor(lambda: {"countdown": countdown})
    app.after_request(_note_work)


def _note_work(response: Any) -> Any:
    changed = request.method not in ("GET", "HEAD", "OPTIONS") and response.status_code < 400
    own = (request.endpoint or "").startswith(("auth.", "meter.", "api.meter_"))
    if changed and request.endpoint and not own:
        _autostop().touch()
    return response


def _autostop() -> Autostop:
    return current().supervisor.autostop


def countdown() -> dict[str, Any]:
    """What the banner says; ``kind`` is empty where there is nothing to say."""
    state = _autostop().state
    live = current().vast.client is not None and state.phase != "off"
    shown = {
        "live": live,
        "kind": "",
        "text": "",
        "told": "",
        "keep": False,
        "now": False,
        "state": state,
    }
    if live:
        shown.update(_words(state, _minutes))
        shown["told"] = _words(state, _roughly).get("text", "")
    return {**shown, "version": _version(shown)}


def _words(state: Any, span: Callable[[float], str]) -> dict[str, Any]:
    """``span`` puts seconds into words."""
    verb = "destroyed" if state.act == "destroy" else "stopped"
    if state.phase == "idle" and state.left is not None and state.left < SOON_SECONDS:
        but = f"; {state.reason}" if state.reason else ""
        text = f"Nothing runs here. This machine is {verb} in {span(state.left)}{but}."
        return {"kind": "warn", "text": text, "keep": True, "now": True}
    if state.phase == "busy" and state.cap_left is not None and state.cap_left < SOON_SECONDS:
        text = f"The cap is reached in {span(state.cap_left)}: what runs is asked to save and stop."
        return {"kind": "warn", "text": f"{text} Then this machine is stopped.", "keep": True}
    if state.phase in ("held", "capped"):
        text = f"This machine would be {verb} now, but something holds it: {state.reason}"
        if state.phase == "capped" and not state.problem:
            text = f"{state.reason.capitalize()}: what runs saves and stops, then this machine is {verb}."
        return {"kind": "warn", "text": text, "keep": True, "now": state.phase == "held"}
    if state.phase == "rehearsed":
        text = f"Dry run: this machine would be {verb} now, because {state.reason}."
        return {"kind": "warn", "text": text, "keep": True}
    if state.phase in ("stopping", "ordered"):
        return _leaving(state, verb, span)
    return {}


def _leaving(state: Any, verb: str, span: Callable[[float], str]) -> dict[str, Any]:
    text = f"This machine is being {verb}, because {state.reason}."
    if state.problem:
        next_try = span(max(0.0, state.next_try - _autostop().clock()))
        text = f"This machine should be {verb}, because {state.reason}. {state.problem} Next try in {next_try}."
    if state.late:
        text += " It still costs money: stop it in Vast's console."
    kind = "bad" if state.problem else "warn"
    return {"kind": kind, "text": text, "keep": state.phase == "stopping"}


def _minutes(seconds: float) -> str:
    """Whole minutes; below two, tens of seconds, so that a page is not drawn anew each time."""
    if seconds >= 120:
        return f"{round(seconds / 60)} minutes"
    return f"{max(10, -(-round(seconds) // 10) * 10)} seconds"


def _roughly(seconds: float) -> str:
    """For a screen reader, which reads out each change: five in a quarter of an hour, not twenty-five."""
    least = next((bound for bound in (1, 2, 5, 10, 15) if seconds <= bound * 60), None)
    if least is None:
        return "more than 15 minutes"
    return f"less than {least} minute{'' if least == 1 else 's'}"


def _version(shown: Mapping[str, Any]) -> str:
    return f"{shown['kind']}.{sum(shown['text'].encode()) % 99991:x}{len(shown['text']):x}"


@bp.get("")
def index() -> ResponseReturnValue:
    return _page(preferences.load(MeterPreferences).model_dump(), {})


def _page(
    form: Mapping[str, Any], errors: Mapping[str, str], undelivered: str = ""
) -> ResponseReturnValue:
    platform = current()
    page = render_template(
        "pages/meter.html",
        form=form,
        errors=errors,
        undelivered=undelivered,
        tunnel=tunnels.address(platform.settings.tunnel_manager),
        meter=meter.read(platform),
        source=pricing.source_of_price(platform),
        vast=platform.vast,
        settings=platform.settings,
        chosen=preferences.load(MeterPreferences),
        last_stop=_autostop().last_stop(),
        state=_autostop().state,
        now=time.time(),
    )
    return page, 409 if undelivered else 422 if errors else 200


@bp.get("/countdown")
def banner() -> ResponseReturnValue:
    shown = countdown()
    return htmx.fragment("countdown", countdown=lambda: shown, version=shown["version"])


@bp.post("/settings")
def save() -> ResponseReturnValue:
    wanted, errors = _read(request.form)
    if wanted and not errors and (told := _keep(wanted)):
        errors["confirmation"] = told
    if errors or wanted is None:
        before = preferences.load(MeterPreferences)
        return _page({**before.model_dump(), **request.form.to_dict()}, errors)
    return redirect("/meter", 303)


def _keep(wanted: MeterPreferences) -> str:
    return giving_back.set_rules(current(), wanted, request.form.get("confirmation", ""))


def _read(form: Mapping[str, str]) -> tuple[MeterPreferences | None, dict[str, str]]:
    values: dict[str, Any] = {"policy": form.get("policy", "off"), "dry_run": "dry_run" in form}
    for name in _NUMBERS:
        text = form.get(name, "").strip().replace(",", ".")
        if text:
            values[name] = text
    try:
        return MeterPreferences.model_validate(values), {}
    except ValidationError as error:
        return None, {str(e["loc"][0]): _sentence(e) for e in error.errors()}


def _sentence(error: Any) -> str:
    limits = error.get("ctx") or {}
    if error["type"] in ("greater_than_equal", "greater_than"):
        limit = limits.get("ge", limits.get("gt"))
        return f"Give {'at least' if 'ge' in limits else 'more than'} {limit:g}."
    if error["type"] == "less_than_equal":
        return f"Give at most {limits['le']:g}."
    return "Choose one of the three." if error["loc"][0] == "policy" else "Give a number."


@bp.post("/keep")
def keep() -> ResponseReturnValue:
    giving_back.keep_running(current())
    return _back()


@bp.post("/stop")
def stop() -> ResponseReturnValue:
    if missing := giving_back.stop_now(current(), anyway="anyway" in request.form):
        return _page(preferences.load(MeterPreferences).model_dump(), {}, missing)
    return _back()


def _back() -> ResponseReturnValue:
    return redirect(guard.own_address(request.form.get("next", "/meter")), 303)
