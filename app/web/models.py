"""The Models page: what is on disk, downloads, the token, folders, and deletion."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import preferences, tasks
from app.base_models import Entry, ModelPreferences, hf_token, orders, read_library
from app.base_models.library import OLDER
from app.base_models.tokens import SECRET
from app.errors import ConflictError, NotFoundError, UserError
from app.jobs import model_use
from app.platform import current
from app.web import htmx, model_state
from engines import families

bp = Blueprint("models", __name__, url_prefix="/models")

STALE_SECONDS = 600.0
"""An older look at the disk is renewed when somebody opens the page."""
_SOURCES = {"cache": "Hugging Face cache", "models": "Model folder", "folder": "Added folder"}


@bp.get("")
def index() -> ResponseReturnValue:
    return _page()


def _page(errors: dict[str, str] | None = None) -> str:
    platform = current()
    settings = platform.settings
    library = read_library(settings)
    looking = tasks.latest(orders.LIBRARY, "model.scan")
    token_test = tasks.latest(orders.TOKEN, "model.token")
    return render_template(
        "pages/models.html",
        library=library,
        entries=sorted(library.entries, key=lambda entry: -entry.used),
        labels={key: family.label for key, family in families.families().items()},
        published=_published(),
        sources=_SOURCES,
        disk=shutil.disk_usage(settings.data_dir),
        cache=platform.hub.cache,
        cache_disk=_other_disk(platform.hub.cache, settings.data_dir),
        models_dir=settings.models_dir,
        folders=preferences.load(ModelPreferences).folders,
        downloads=[
            (task, orders.title_of(task), orders.page_of(task, settings))
            for task in orders.downloads()
        ],
        looking=looking if looking and not looking.is_final else None,
        stale=time.time() - library.at > STALE_SECONDS,
        failed_look=looking if looking and looking.state == "failed" else None,
        deletions=tasks.active("model.delete"),
        token="environment" if settings.hf_token else "set" if hf_token(settings) else "",
        token_test=token_test,
        token_name=tasks.result_of(token_test).get("name", "") if token_test else "",
        offline=settings.why_no_hub,
        errors=errors or {},
        form=request.form,
    )


def _published() -> dict[str, set[str]]:
    """The families that a repository is the usual model of, so that its own is chosen beforehand."""
    found: dict[str, set[str]] = {}
    for key, family in families.families().items():
        found.setdefault(family.default_model, set()).add(key)
    return found


def _other_disk(cache: Path, data_dir: Path) -> Any:
    """Use of the cache's disk where it is another one."""
    place = next((p for p in (cache, *cache.parents) if p.exists()), cache)
    if place.stat().st_dev == data_dir.stat().st_dev:
        return None
    return shutil.disk_usage(place)


@bp.post("/look")
def look() -> ResponseReturnValue:
    task = orders.look()
    return htmx.after("task", to=url_for("models.index"), task=task)


@bp.get("/state")
def state() -> ResponseReturnValue:
    """The New job form's fragment: whether its base model is here."""
    model = model_state.of(request.args)
    answer = make_response(htmx.fragment("base_model_state", version=model.version, model=model))
    if "v" in request.args and model.kind == "here":
        answer.headers["HX-Trigger"] = "model-changed"
    return answer


@bp.post("/get")
def get() -> ResponseReturnValue:
    """Start or cancel the download of the form's base model (HTMX)."""
    try:
        model_state.act(request.form, request.form.get("model_wish", ""))
    except UserError as error:
        return render_template("fragments/flash.html", text=str(error)), 422
    return render_template("fragments/base_model_state.html", model=model_state.of(request.form))


@bp.post("/download")
def download() -> ResponseReturnValue:
    """From the page's form: a hub id, a file of one, or an address; patterns by comma."""
    text = request.form.get("what", "").strip()
    patterns = [p.strip() for p in request.form.get("patterns", "").split(",") if p.strip()]
    if not text:
        return _page({"what": "Give a hub id (owner/name) or a web address."}), 422
    try:
        orders.download(current().settings, text, patterns)
    except UserError as error:
        return _page({"what": str(error)}), 422
    return _back()


@bp.post("/token")
def token() -> ResponseReturnValue:
    """Set or remove the token. It is not shown again."""
    value = request.form.get("token", "").strip()
    if "remove" in request.form:
        value = ""
    elif not value.isascii() or not value.isprintable() or len(value.split()) != 1:
        return _page({"token": "Paste the token as it is: one word, usually hf_ and letters."}), 422
    platform = current()
    try:
        platform.vault.put(SECRET, value or None)
    except OSError as error:
        return _page({"token": f"It could not be stored: {error.strerror}."}), 422
    platform.hub.forget()
    if value and not platform.settings.hf_hub_offline:
        orders.test_token(platform.settings)
    return _back("token")


@bp.post("/token/test")
def test_token() -> ResponseReturnValue:
    try:
        orders.test_token(current().settings)
    except ConflictError as error:
        return _page({"token": str(error)}), 422
    return _back("token")


@bp.post("/folders")
def add_folder() -> ResponseReturnValue:
    text = request.form.get("folder", "").strip()
    path = Path(os.path.expanduser(text)) if text else Path()
    problem = ""
    if not text or not path.is_absolute():
        problem = "Give the whole path of a folder on this machine, such as /data/models."
    elif not os.path.isdir(path):  # Path raises for what no system can hold
        problem = f"There is no folder {str(path)[:300]} on this machine."
    elif not os.access(path, os.R_OK | os.X_OK):
        problem = f"{path} may not be read by this program."
    if problem:
        return _page({"folder": problem}), 422
    _change_folders(lambda known: dict.fromkeys((*known, os.path.normpath(path))))
    return _back("folders")


@bp.post("/folders/forget")
def forget_folder() -> ResponseReturnValue:
    """Takes a folder off the list; nothing in it is touched."""
    gone = request.form.get("folder", "")
    _change_folders(lambda known: [folder for folder in known if folder != gone])
    return _back("folders")


def _change_folders(make: Callable[[tuple[str, ...]], Iterable[str]]) -> None:
    chosen = preferences.change(
        ModelPreferences,
        lambda now: now.model_copy(update={"folders": tuple(make(now.folders))}),
    )
    orders.look(chosen.folders)


@bp.get("/<key>/delete")
def confirm_delete(key: str) -> ResponseReturnValue:
    entry = _entry(key)
    users = model_use.users_of(entry, current().settings)
    return render_template(
        "pages/model_delete.html", entry=entry, users=users, running=model_use.running(users),
        older=OLDER,
    )  # fmt: skip


@bp.post("/<key>/delete")
def delete(key: str) -> ResponseReturnValue:
    entry = _entry(key)
    model_use.delete(entry, current().settings, request.form.get("part", ""))
    return _back()


def _entry(key: str) -> Entry:
    entry = read_library(current().settings).find(key)
    if entry is None:
        raise NotFoundError("There is no such model (any more). Look at the disk again.")
    return entry


def _back(anchor: str = "") -> ResponseReturnValue:
    return redirect(url_for("models.index", _anchor=anchor or None), 303)
