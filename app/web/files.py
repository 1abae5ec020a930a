"""Downloads: artifacts, samples, logs, and all of it as one zip; with ranges."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.http import parse_range_header
from werkzeug.security import safe_join

from app import artifacts
from app.artifacts.zipping import StoredZip
from app.errors import NotFoundError
from app.jobs import service
from app.jobs.installations import ENGINES
from app.models import Job

bp = Blueprint("files", __name__)

_SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".webm"}


def inside(root: Path, relative: str) -> Path:
    """The file below ``root``, or NotFoundError: no ``..``, no links, no folders."""
    joined = safe_join(str(root), relative)
    path = Path(joined) if joined else None
    if path is None or not path.is_file():
        raise NotFoundError(f"There is no file {relative}; it may have been pruned or deleted.")
    if path.resolve() != root.resolve() / path.relative_to(root):
        raise NotFoundError(f"{relative} is a link and is not followed.")
    return path


@bp.get("/jobs/<int:job_id>/files/<path:relative>")
def artifact(job_id: int, relative: str) -> ResponseReturnValue:
    path = inside(service.run_dir(service.get(job_id)).output, relative)
    shown = path.suffix.lower() in _SHOWN
    response = send_file(
        path, conditional=True, as_attachment=not shown, max_age=86400 if shown else 0
    )
    if shown:
        # A sample never changes once it is written.
        response.headers["Cache-Control"] = "private, max-age=86400"
    return response


@bp.get("/jobs/<int:job_id>/attempts/<int:number>/log.txt")
def log(job_id: int, number: int) -> ResponseReturnValue:
    job = service.get(job_id)
    path = inside(service.run_dir(job).root, f"attempts/{number}/log.txt")
    return send_file(
        path,
        conditional=True,
        as_attachment=True,
        download_name=f"{job.name}-{number}.log",
        mimetype="text/plain",
    )


@bp.get("/jobs/<int:job_id>/all.zip")
def everything(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    archive = StoredZip(_members(job))
    response = Response(mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{job.name}-{job.id}.zip"'
    response.headers["Accept-Ranges"] = "bytes"
    response.set_etag(archive.etag)
    start, end = 0, archive.size
    ranges = parse_range_header(request.headers.get("Range"))
    unchanged = "If-Range" not in request.headers or archive.etag in request.headers["If-Range"]
    if ranges is not None and ranges.units == "bytes" and len(ranges.ranges) == 1 and unchanged:
        wanted = ranges.range_for_length(archive.size)
        if wanted is None:
            response.headers["Content-Range"] = f"bytes */{archive.size}"
            response.status_code = 416
            return response
        start, end = wanted
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{archive.size}"
    response.headers["Content-Length"] = str(end - start)
    if request.method != "HEAD":
        response.response = archive.read(start, end)
    return response


def _members(job: Job) -> list[tuple[str, Path]]:
    """LoRA files, samples, and what tells their story; by the name in the archive."""
    run = service.run_dir(job)
    found = artifacts.find(run.output, ENGINES[job.engine], job.name)  # type: ignore[index]
    members = [(a.path.name, a.path) for a in found.loras]
    members += [(f"samples/{a.path.name}", a.path) for a in found.samples]
    for path in (run.spec, run.metrics, run.run_card, *sorted(run.native.glob("*"))):
        if path.is_file():
            members.append((str(path.relative_to(run.root)), path))
    return members
