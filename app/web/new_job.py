"""The form for a new job, its live preview, and what happens when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import InvalidSpecError, UserError
from app.jobs import guards, service
from app.platform import current
from app.web import form_page, forms, memory_choice, model_state, native_view, place_fields
from app.web.places import pattern_of, place_of
from engines import families, naming
from engines.fields import table

bp = Blueprint("new_job", __name__)

FIRST_FAMILY = "sdxl"


@bp.get("/jobs/new")
def form() -> ResponseReturnValue:
    cloned = request.args.get("clone", type=int)
    if cloned is not None:
        original = service.get(cloned)
        values = {**forms.fill(service.clone(original)), **place_fields.of_job(original)}
        values["name"] = naming.following(values.get("name", ""))
        # A remedy changes a field or two of the copy.
        values.update({name: text for name, text in request.args.items() if name in table()})
    else:
        # A dataset's page leads here with its folder, by the name of the field.
        known = {*table(), "card", *place_fields.NAMES}
        given = request.args.items()
        values = {name: text for name, text in given if {name, pattern_of(name)} & known}
        values.setdefault("name", naming.nearest(PurePath(values.get("datasets.0.path", "")).name))
        values.setdefault("family", FIRST_FAMILY)
        values.setdefault("length.steps", "2000")
    return page(values)


def _settled(values: dict[str, str]) -> dict[str, str]:
    """The form's texts put in order: what follows from the family, and what was left out."""
    values.pop(values.get("leave_out", ""), None)
    family = families.get(values.get("family", ""))
    # The engine follows the model: one that does not train it is no choice.
    if family and values.get("engine", "auto") not in ("auto", *family.engines):
        values["engine"] = "auto"
    usual = {found.default_model for found in families.families().values()}
    if family and values.get("base_model", "").strip() in usual | {""}:
        values["base_model"] = family.default_model
    forms.settle(values)
    return values


@bp.post("/jobs/new")
def again() -> ResponseReturnValue:
    """The same form with another row, another family's defaults, or a preview (no JavaScript)."""
    values = dict(request.form.items())
    if wish := values.pop("model_wish", ""):
        try:
            model_state.act(values, wish)
        except UserError as error:
            return page(values, {"base_model": str(error)}, with_preview=True), 422
    if "add_dataset" in values:
        values[f"datasets.{forms.dataset_count(values)}.path"] = " "
    return page(values, with_preview=True)


@bp.post("/jobs/fields")
def fields() -> ResponseReturnValue:
    """The fields alone, drawn for another family, engine or card (HTMX)."""
    values = _settled(dict(request.form.items()))
    answer = make_response(
        render_template("fragments/job_fields.html", **form_page.context(values, {}))
    )
    # What is shown beside them follows from the fields as they are now.
    answer.headers["HX-Trigger"] = "fields-changed"
    return answer


@bp.post("/jobs/preview")
def preview() -> ResponseReturnValue:
    return render_template("fragments/job_preview.html", **_preview(request.form))


@bp.post("/jobs/")
def create() -> ResponseReturnValue:
    document, errors = forms.read(request.form)
    try:
        if errors:
            raise InvalidSpecError(errors)
        chosen = request.form.get("gpu", "")
        job = service.submit(
            document,
            hold=request.form.get("hold") == "1",
            gpu=chosen if chosen.isdecimal() and chosen.isascii() else "",
            card_gb=memory_choice.card_of(request.form),
            place=place_fields.read(request.form),
        )
    except InvalidSpecError as error:
        return page(dict(request.form.items()), error.errors, with_preview=True), 422
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def page(
    values: dict[str, str],
    errors: Mapping[str, str] | None = None,
    *,
    with_preview: bool = False,
    **told: Any,
) -> str:
    """The New job page with these fields; ``told`` is what fragments/exchange.html shows."""
    values = _settled(values)
    shown = _preview(values) if with_preview or values.get("name") else {"preview": None}
    if errors and shown["preview"]:
        # A check ends at its first stage with a complaint; a person hears of all at once.
        errors = {**shown["preview"].errors, **errors}
    context = form_page.context(values, dict(errors or {}))
    free = guards.free_gb(current())
    return render_template("pages/job_new.html", **context, **shown, **told, free_gb=free)


def _preview(values: Mapping[str, str]) -> dict[str, Any]:
    """What the preview is drawn from."""
    document, errors = forms.read(values)
    shown = service.preview(
        document, card_gb=memory_choice.card_of(values), place=place_fields.read(values)
    )
    family = values.get("family", "")
    length = document.get("length") or {}
    return {
        "preview": shown,
        "problems": form_page.placed({**shown.errors, **errors}, family),
        "asked": length if isinstance(length, dict) else {},
        "files": [
            (
                name,
                [
                    (line, place_of(line.field, family) if line.field else None)
                    for line in native_view.lines(name, text, shown.sources)
                ],
            )
            for name, text in shown.files.items()
        ],
    }
