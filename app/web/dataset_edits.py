"""What is done to the pictures and captions of a dataset besides typing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.datasets import bulk, captioning, editing, grid, library, pictures
from app.datasets.patterns import PatternError
from app.datasets.steps import Step
from app.errors import UserError
from app.jobs import using
from app.models import Dataset
from app.numbers import whole
from app.web.dataset import back, url_pairs

bp = Blueprint("dataset_edits", __name__, url_prefix="/datasets/<int:dataset_id>")

SHOWN = 20


@bp.get("/items/<int:item_id>")
def item(dataset_id: int, item_id: int) -> ResponseReturnValue:
    """One picture at full size, with what can be done to it."""
    return render_template("pages/dataset_item.html", **_item(dataset_id, item_id))


@bp.get("/items/<int:item_id>/view")
def view(dataset_id: int, item_id: int) -> ResponseReturnValue:
    """The same for the dialog of the grid."""
    return render_template("fragments/dataset_item.html", **_item(dataset_id, item_id))


def _item(dataset_id: int, item_id: int) -> dict[str, Any]:
    dataset = library.get(dataset_id)
    return {
        "dataset": dataset,
        "item": captioning.item(dataset, item_id),
        "view": request.args.get("view", ""),
    }


@bp.post("/items/<int:item_id>/turn")
def turn(dataset_id: int, item_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    found = captioning.item(dataset, item_id)
    using.refuse_if_training(library.folder(dataset), dataset.name)
    pictures.turn(dataset, found, request.form.get("way", ""))
    return back(dataset_id, anchor=f"item-{item_id}")


@bp.post("/items/<int:item_id>/crop")
def crop(dataset_id: int, item_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    found = captioning.item(dataset, item_id)
    given = [whole(request.form.get(name, "")) for name in ("left", "top", "width", "height")]
    numbers = [number for number in given if number is not None and number >= 0]
    if len(numbers) < len(given):
        raise UserError(
            "A rectangle has four whole numbers: left, top, width and height in pixels."
        )
    using.refuse_if_training(library.folder(dataset), dataset.name)
    pictures.crop(dataset, found, pictures.Box(*numbers))
    return back(dataset_id, anchor=f"item-{item_id}")


@bp.post("/items/<int:item_id>/delete")
def delete(dataset_id: int, item_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    found = captioning.item(dataset, item_id)
    using.refuse_if_training(library.folder(dataset), dataset.name)
    pictures.remove(dataset, [found], "delete", f"{found.name} deleted")
    return back(dataset_id)


@bp.post("/bulk")
def bulk_page(dataset_id: int) -> ResponseReturnValue:
    """Preview (``do=preview``) or carry out one operation on many captions."""
    if request.form.get("do") == "apply":
        return _apply(dataset_id)
    context = _preview(dataset_id)
    status = 422 if context["error"] else 200
    return render_template("pages/dataset_bulk.html", **context), status


@bp.post("/bulk/preview")
def bulk_preview(dataset_id: int) -> ResponseReturnValue:
    """The preview alone, for the dialog of the grid."""
    context = _preview(dataset_id)
    status = 422 if context["error"] else 200
    return render_template("fragments/dataset_bulk_preview.html", **context), status


def _asked(dataset: Dataset) -> tuple[bulk.Operation, list[bulk.Entry], list[int] | None]:
    form = request.form
    operation = bulk.Operation(
        form.get("kind", ""), form.get("text", "")[:2000], form.get("other", "")[:2000]
    )
    if operation.kind == "trigger" and not operation.text.strip():
        operation = bulk.Operation("trigger", dataset.trigger_word)
    scope = form.get("scope", "shown")
    seen = grid.View.read(MultiDict(url_pairs(form.get("view", ""))))
    ticked = None
    if scope == "ticked":
        ticked = [n for text in form.getlist("ticked") if (n := whole(text)) is not None]
    entries = grid.entries(dataset, grid.View() if scope == "all" else seen, ticked)
    return operation, entries, ticked


def _preview(dataset_id: int) -> dict[str, Any]:
    dataset = library.get(dataset_id)
    operation, entries, ticked = _asked(dataset)
    error, changes = "", []
    try:
        changes = bulk.changes(operation, entries)
        if ticked == []:
            error = "No picture is ticked. Tick some, or choose all that are shown."
    except (bulk.OperationError, PatternError) as refused:
        error = str(refused)
    return {
        "dataset": dataset, "operation": operation, "count": len(changes), "of": len(entries),
        "changes": changes[:SHOWN], "error": error, "ticked": ticked or [],
        "scope": request.form.get("scope", "shown"), "view": request.form.get("view", ""),
        "title": bulk.summary(operation) if operation.kind in bulk.KINDS else "Change captions",
        "tag_counts": grid.change_of_tags(changes),
    }  # fmt: skip


def _apply(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    operation, entries, _ticked = _asked(dataset)
    changes = bulk.changes(operation, entries)
    names = grid.caption_names(dataset, [change.entry.id for change in changes])
    steps = [
        Step(names[change.entry.id], change.entry.id, change.entry.caption, change.after)
        for change in changes
    ]
    if steps:
        summary = f"{bulk.summary(operation)} ({len(steps)} captions)"
        editing.make(dataset, operation.kind, summary, steps)
    return back(dataset_id)


@bp.get("/edits")
def edits(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    shown = editing.latest(dataset, 200)
    return render_template("pages/dataset_edits.html", dataset=dataset, edits=shown)
