"""The form for a new job, its live preview, and what happens when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import InvalidSpecError
from app.jobs import service
from app.platform import current
from app.web import forms
from engines import families, presets
from engines.families import Family
from engines.fields import Row, table

bp = Blueprint("new_job", __name__)

FIRST_FAMILY = "sdxl"
BASIC = (
    "name", "family", "base_model", "trigger_word", "engine", "length.steps", "length.epochs",
    "datasets[].path", "datasets[].repeats",
)  # fmt: skip
SECTIONS = (
    ("datasets", "More about the datasets"), ("network", "Network"), ("optimizer", "Optimizer"),
    ("batch", "Batch"), ("memory", "Memory"), ("saving", "Saving"), ("sampling", "Samples"),
    ("buckets", "Buckets"), ("loss", "Loss"), ("ema", "EMA"), ("job", "Further"),
)  # fmt: skip
_LEFT_OUT = ("version", "components")


@bp.get("/jobs/new")
def form() -> ResponseReturnValue:
    cloned = request.args.get("clone", type=int)
    if cloned is not None:
        values = forms.fill(service.clone(service.get(cloned)))
        values["name"] = _next_name(values.get("name", ""))
        # A remedy changes a field or two of the copy.
        values.update({name: text for name, text in request.args.items() if name in table()})
    else:
        values = {name: text for name, text in request.args.items() if name in table()}
        values.setdefault("family", FIRST_FAMILY)
        values.setdefault("length.steps", "2000")
        _usual_model(values)
    return _page(values)


def _usual_model(values: dict[str, str]) -> None:
    """Put in the family's usual model where the field is empty or holds another family's."""
    usual = {family.default_model for family in families.families().values()}
    family = families.get(values.get("family", ""))
    if family and values.get("base_model", "").strip() in usual | {""}:
        values["base_model"] = family.default_model


def _next_name(name: str) -> str:
    """dog -> dog-2 -> dog-3."""
    stem, dash, last = name.rpartition("-")
    return f"{stem}-{int(last) + 1}" if dash and last.isdigit() else f"{name}-2"


@bp.post("/jobs/new")
def again() -> ResponseReturnValue:
    """The same form with another row, another family's defaults, or a preview (no JavaScript)."""
    values = dict(request.form.items())
    _usual_model(values)
    if "add_dataset" in values:
        values[f"datasets.{forms.dataset_count(values)}.path"] = " "
    return _page(values, with_preview=True)


@bp.post("/jobs/fields")
def fields() -> ResponseReturnValue:
    """The fields alone, drawn for another family (HTMX)."""
    values = dict(request.form.items())
    _usual_model(values)
    return render_template("fragments/job_fields.html", **_context(values, {}))


@bp.post("/jobs/preview")
def preview() -> ResponseReturnValue:
    document, errors = forms.read(request.form)
    shown = service.preview(document)
    return render_template(
        "fragments/job_preview.html", preview=shown, errors={**shown.errors, **errors}
    )


@bp.post("/jobs/")
def create() -> ResponseReturnValue:
    document, errors = forms.read(request.form)
    try:
        if errors:
            raise InvalidSpecError(errors)
        chosen = request.form.get("gpu", "")
        gpu = chosen if chosen.isdigit() else ""
        job = service.submit(document, hold=request.form.get("hold") == "1", gpu=gpu)
    except InvalidSpecError as error:
        return _page(dict(request.form.items()), error.errors, with_preview=True), 422
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def _page(
    values: dict[str, str], errors: Mapping[str, str] | None = None, *, with_preview: bool = False
) -> str:
    context = _context(values, dict(errors or {}))
    document, _ = forms.read(values)
    shown = service.preview(document) if with_preview or values.get("name") else None
    return render_template("pages/job_new.html", **context, preview=shown)


def _context(values: dict[str, str], errors: dict[str, str]) -> dict[str, Any]:
    document, _ = forms.read(values)
    report = current().gpus.report()
    completed = presets.complete(document, gpu=bool(report.gpus), vram_gb=report.smallest_gb)
    family = families.get(values.get("family", ""))
    return {
        "form": values,
        "errors": errors,
        "rows": table(),
        "defaults": forms.defaults(completed),
        "sections": _sections(),
        "groups": _groups(),
        "family": family,
        "components": _components(family),
        "datasets": range(forms.dataset_count(values)),
        "folders": service.dataset_folders(),
        "gpus": report.gpus,
        "engines": {found.name: found for found in service.engines()},
    }


def _sections() -> list[tuple[str, str, list[Row]]]:
    """The Advanced groups with their rows, in the order of the field table."""
    found = []
    for key, title in SECTIONS:
        rows = [
            row
            for row in table().values()
            if row.section == key and row.path not in BASIC and row.path not in _LEFT_OUT
        ]
        found.append((key, title, rows))
    return found


def _groups() -> dict[str, list[Family]]:
    """Families by group, for the select; both engines' ones first."""
    groups: dict[str, list[Family]] = {}
    for family in families.families().values():
        groups.setdefault(family.group, []).append(family)
    return groups


def _components(family: Family | None) -> dict[str, bool]:
    """Further paths the family takes, and whether kohya_ss needs them."""
    if family is None or family.kohya is None:
        return {}
    return {
        **dict.fromkeys(family.kohya.components, True),
        **dict.fromkeys(family.kohya.optional, False),
    }
