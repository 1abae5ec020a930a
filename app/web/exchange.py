"""Configs in and out: import on the New job page, export as a zip, and a clone for the other engine."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.errors import InvalidSpecError, NotFoundError
from app.jobs import exporting, importing, service
from app.platform import current
from app.web import form_page, forms, memory_choice, new_job
from app.web.places import place_of
from engines import families, naming
from engines.spec import ENGINE_NAMES, EngineName

bp = Blueprint("exchange", __name__)

MOST_BYTES = 2 * 1024 * 1024
MOST_FILES = 50
PASTED = "Pasted text"


@bp.post("/jobs/import")
def import_config() -> ResponseReturnValue:
    """The New job form with the values of a config; nothing is stored."""
    text = ""
    try:
        text, uploads = _received()
        files = _files(text, uploads)
        # A single file that is broken can be mended in the box.
        text = text or (next(iter(files.values())) if len(files) == 1 else "")
        name, found = importing.read_files(files)
    except RequestEntityTooLarge:
        return _refused("That is more than 2 MB, and no training config is.", text)
    except importing.NotImportableError as error:
        return _refused(str(error), text)
    document = _for_form(found.document)
    values = forms.fill(document)
    return new_job.page(values, with_preview=True, imported=_report(name, found, values))


def _received() -> tuple[str, list[FileStorage]]:
    """The pasted text and the files, held in memory. Raises RequestEntityTooLarge."""
    request.max_content_length = MOST_BYTES
    parser = FormDataParser(
        # Flask's own parser would put a large file on the disk.
        stream_factory=lambda *_, **__: io.BytesIO(),
        max_content_length=MOST_BYTES,
        max_form_memory_size=MOST_BYTES,
        max_form_parts=MOST_FILES,
    )
    _, form, files = parser.parse(
        request.stream, request.mimetype, request.content_length, request.mimetype_params
    )
    return form.get("text", ""), files.getlist("files")


def _files(text: str, uploads: list[FileStorage]) -> dict[str, str]:
    """Texts by base name. Raises NotImportableError for a file that is no text."""
    found = {PASTED: text} if text.strip() else {}
    for upload in uploads:
        name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
        if not name:
            continue
        try:
            found[name] = upload.stream.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise importing.NotImportableError(f"{name} is no text in UTF-8.") from error
    return found


def _refused(sentence: str, text: str) -> ResponseReturnValue:
    values = {"family": new_job.FIRST_FAMILY, "length.steps": "2000"}
    return new_job.page(values, import_error=sentence, import_text=text), 422


def _for_form(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as the form can hold it: a prompt is one line there."""
    sampling = document.get("sampling") or {}
    prompts = [" ".join(str(prompt).splitlines()) for prompt in sampling.get("prompts") or ()]
    return {**document, "sampling": {**sampling, "prompts": prompts}} if prompts else {**document}


def _report(name: str, found: importing.ImportedSpec, values: Mapping[str, str]) -> dict[str, Any]:
    """What fragments/exchange.html says of an import."""
    gaps = dict(found.gaps)
    family = families.get(values.get("family", ""))
    if "base_model" in gaps and family and family.default_model:
        gaps["base_model"] = f"None was named; {family.default_model} stands there, the usual one."
    if len(found.document.get("datasets") or ()) > forms.MOST_DATASETS:
        gaps["datasets"] = f"The form holds the first {forms.MOST_DATASETS} datasets only."
    return {
        "name": name,
        "what": found.what,
        "taken": found.taken,
        "translated": found.told("translated"),
        "dropped": found.told("dropped"),
        "missing": form_page.placed(gaps, values.get("family", "")),
    }


@bp.post("/jobs/export")
def export_form() -> ResponseReturnValue:
    """The zip of what the form holds now; the form with its errors where it cannot be planned."""
    document, errors = forms.read(request.form)
    try:
        if errors:
            raise InvalidSpecError(errors)
        checked = service.check(
            document, thorough=False, card_gb=memory_choice.card_of(request.form)
        )
        if checked.spec is None or checked.engine is None:
            raise InvalidSpecError(checked.errors)
        return _zip(checked.document, checked.engine)
    except InvalidSpecError as error:
        return new_job.page(dict(request.form.items()), error.errors, with_preview=True), 422


@bp.get("/jobs/<int:job_id>/export.zip")
def export_job(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    return _zip(service.clone(job), _engine_named(job.engine), number=job_id)


def _zip(document: Mapping[str, Any], engine: EngineName, number: int | None = None) -> Response:
    platform = current()
    made = exporting.export(document, engine, platform.settings, platform.options)
    answer = Response(exporting.zipped(made), mimetype="application/zip")
    stem = made.name if number is None else f"{made.name}-{number}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{stem}.zip"'
    return answer


@bp.get("/jobs/<int:job_id>/for/<engine>")
def clone_for(job_id: int, engine: str) -> ResponseReturnValue:
    """The New job form with the job's spec translated, and what that changes."""
    job = service.get(job_id)
    switched = service.clone_for(job, _engine_named(engine))
    values = forms.fill(switched.document)
    values["name"] = naming.following(values.get("name", ""))
    told = {
        "source": job,
        "engine": engine,
        "changes": [(place_of(change.field, job.family), change) for change in switched.changes],
        "missing": [(place_of(gap.field, job.family), gap.message) for gap in switched.open],
        "notes": switched.notes,
    }
    return new_job.page(values, with_preview=True, switched=told)


def _engine_named(text: str) -> EngineName:
    for name in ENGINE_NAMES:
        if name == text:
            return name
    raise NotFoundError(f"There is no engine {text}.")
