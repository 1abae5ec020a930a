"""The page of one dataset: its pictures by page, and captions edited in place."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app import tasks
from app.datasets import bulk, captioning, editing, grid, library, scanning
from app.datasets.captions import version_of
from app.db import db
from app.errors import UserError
from app.jobs import dataset_use, using
from app.models import Dataset, DatasetItem
from app.web import htmx
from engines.spec import TRIGGER_LONGEST

bp = Blueprint("dataset", __name__, url_prefix="/datasets/<int:dataset_id>")


@bp.get("")
def show(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    scanning.refresh(dataset)
    view = grid.View.read(request.args)
    return render_template(
        "pages/dataset.html",
        **shown(dataset, view),
        counts=grid.counts(dataset, view.resolution),
        tags=grid.top_tags(dataset),
        edits=editing.latest(dataset, 12),
        jobs=dataset_use.jobs(dataset.path),
        tasks=[t for t in tasks.find(f"dataset:{dataset.id}") if t.state not in _QUIET][:3],
        kinds=bulk.KINDS,
        shows=grid.SHOWS,
        sorts=grid.SORTS,
        trigger_longest=TRIGGER_LONGEST,
    )


_QUIET = ("done", "cancelled")


def shown(dataset: Dataset, view: grid.View) -> dict[str, Any]:
    """What the grid is drawn from."""
    return {
        "dataset": dataset, "view": view, "page": grid.page(dataset, view),
        "version_of": version_of, "extreme": grid.EXTREME,
    }  # fmt: skip


@bp.get("/tiles")
def tiles(dataset_id: int) -> ResponseReturnValue:
    """The next pictures, to be put after those shown."""
    dataset = library.get(dataset_id)
    context = shown(dataset, grid.View.read(request.args))
    return render_template("fragments/dataset_tiles.html", **context)


@bp.post("/trigger")
def trigger(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    word = " ".join(request.form.get("trigger_word", "").split())
    if len(word) > TRIGGER_LONGEST:
        raise UserError(f"A trigger word has at most {TRIGGER_LONGEST} characters.")
    dataset.trigger_word = word
    db.session.commit()
    return back(dataset_id)


@bp.post("/items/<int:item_id>/caption")
def caption(dataset_id: int, item_id: int) -> ResponseReturnValue:
    """Save a caption that was based on the version named; 409 with both texts where it is another."""
    dataset = library.get(dataset_id)
    item = captioning.item(dataset, item_id)
    typed = request.form.get("caption", "")
    try:
        saved = captioning.save(dataset, item, typed, request.form.get("version", ""))
    except captioning.CaptionConflictError as error:
        if _wants_json():
            there = {"error": str(error), "theirs": error.theirs or "", "version": error.version}
            return jsonify(there), 409
        return render_template(
            "pages/dataset_conflict.html", dataset=dataset, item=item, mine=typed, error=error
        ), 409
    except UserError as error:
        if _wants_json():
            return jsonify({"error": str(error)}), error.status
        raise
    if _wants_json():
        return jsonify({"version": saved.version, "edit": saved.edit, "caption": saved.text or ""})
    return back(dataset_id, anchor=f"item-{item_id}")


@bp.post("/edits/<int:edit_id>/undo")
def undo(dataset_id: int, edit_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    edit = editing.get(dataset, edit_id)
    if any(step.becomes for step in editing.steps_of(edit)):
        using.refuse_if_training(library.folder(dataset), dataset.name)
    editing.undo(dataset, edit)
    if _wants_json():
        step = next(iter(editing.steps_of(edit)), None)
        item = db.session.get(DatasetItem, step.item, populate_existing=True) if step else None
        text = item.caption if item else None
        return jsonify({"caption": text or "", "version": version_of(text)})
    return back(dataset_id)


@bp.post("/settle")
def settle(dataset_id: int) -> ResponseReturnValue:
    """Go on with what a restart cut short."""
    dataset = library.get(dataset_id)
    tasks.start(editing.TASK, f"dataset:{dataset.id}", {"dataset": dataset.id})
    return back(dataset_id)


def _wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json" and not htmx.is_htmx()


def back(dataset_id: int, *, anchor: str = "") -> ResponseReturnValue:
    """To the grid as it was: its address travels in the form as ``view``."""
    words = MultiDict(url_pairs(request.form.get("view", "")))
    view = grid.View.read(words)
    address = url_for("dataset.show", dataset_id=dataset_id, **view.words(page=view.page))
    return redirect(address + (f"#{anchor}" if anchor else ""), 303)


def url_pairs(query: str) -> list[tuple[str, str]]:
    """The names and values of a query."""
    return parse_qsl(query[:2000])
