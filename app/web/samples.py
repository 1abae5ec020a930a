"""The samples of a job: the grid, the viewer's data, small versions, and all of them as one zip."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from app.artifacts import Artifact, Outputs, thumbs
from app.artifacts.zipping import StoredZip
from app.jobs import gallery, service
from app.models import Job
from app.platform import current
from app.web import htmx, zips
from app.web.files import inside

bp = Blueprint("samples", __name__)

COMPACT_ROWS = 3
PAGE_ROWS = 40
_FOR_EVER = "private, max-age=31536000, immutable"


def grid(job: Job, found: Outputs | None = None, *, compact: bool = True) -> dict[str, Any]:
    """What ``fragments/job_samples.html`` needs."""
    whole = gallery.of(job, found)
    before = None if compact else request.args.get("before", type=int)
    rows = [row for row in whole.rows if before is None or row.step < before]
    shown = rows[: COMPACT_ROWS if compact else PAGE_ROWS]
    return {
        "job": job,
        "gallery": whole,
        "rows": shown,
        "older": shown[-1].step if len(rows) > len(shown) else None,
        "before": before,
        "compact": compact,
        "address": lambda sample: addresses(job.id, sample),
        "kind_of": gallery.kind_of,
        "samples_version": version(job, whole.version),
    }


def version(job: Job, drawn: str) -> str:
    """Changes with everything that the grid shows; ``drawn`` is that of the samples themselves."""
    return f"{drawn}.{job.status.is_final}"


def addresses(job_id: int, sample: Artifact) -> tuple[str, str]:
    """Where the whole sample and its small version are; new content has a new address."""
    version = f"{int(sample.mtime * 1000):x}"
    whole = url_for("files.artifact", job_id=job_id, relative=sample.file.path, v=version)
    if sample.path.suffix.lower() not in thumbs.PICTURES:
        return whole, ""
    return whole, url_for("samples.small", job_id=job_id, relative=sample.file.path, v=version)


@bp.get("/jobs/<int:job_id>/samples")
def show(job_id: int) -> ResponseReturnValue:
    return render_template("pages/samples.html", **grid(service.get(job_id), compact=False))


@bp.get("/jobs/<int:job_id>/samples/grid")
def fragment(job_id: int) -> ResponseReturnValue:
    compact = request.args.get("compact") == "1"
    job = service.get(job_id)
    found = gallery.outputs_of(job)
    if htmx.shows(version(job, gallery.version_of(found))):
        return "", 204
    context = grid(job, found, compact=compact)
    return htmx.fragment("job_samples", **context, version=context["samples_version"])


@bp.get("/jobs/<int:job_id>/samples.json")
def data(job_id: int) -> ResponseReturnValue:
    """The whole grid, small: for the viewer, which walks over all steps."""
    whole = gallery.of(service.get(job_id))
    if request.args.get("v") == whole.version:
        return "", 204
    return jsonify(gallery.as_json(whole, lambda sample: addresses(job_id, sample)))


@bp.get("/jobs/<int:job_id>/thumbs/<path:relative>")
def small(job_id: int, relative: str) -> ResponseReturnValue:
    """A small version; the sample itself where none can be made of it."""
    path = inside(service.run_dir(service.get(job_id)).output, relative)
    made = thumbs.thumbnail(path, current().settings.cache_dir)
    response = send_file(made or path, conditional=True, max_age=86400)
    response.headers["Cache-Control"] = _FOR_EVER if made else "no-store"
    return response


@bp.get("/jobs/<int:job_id>/samples.zip")
def everything(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    found = gallery.outputs_of(job).samples
    archive = StoredZip([(sample.path.name, sample.path) for sample in found])
    return zips.answer(archive, f"{job.name}-{job.id}-samples.zip")
