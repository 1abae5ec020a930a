"""Downloads: artifacts, samples, logs, and all of it as one zip; with ranges."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Blueprint, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.security import safe_join

from app.artifacts.zipping import StoredZip
from app.errors import NotFoundError
from app.jobs import gallery, service
from app.jobs.rundir import REPORT
from app.models import Job
from app.web import zips

bp = Blueprint("files", __name__)

_SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".webm"}


def inside(root: Path, relative: str) -> Path:
    """The file below ``root``, or NotFoundError: no ``..``, no links, no folders."""
    joined = safe_join(str(root), relative)
    path = Path(joined) if joined else None
    if path is None or not os.path.isfile(path):  # Path raises for a name that no disk can hold
        raise NotFoundError(f"There is no file {relative}; it may have been pruned or deleted.")
    if path.resolve() != root.resolve() / path.relative_to(root):
        raise NotFoundError(f"{relative} is a link and is not followed.")
    return path


@bp.get("/jobs/<int:job_id>/files/<path:relative>")
def artifact(job_id: int, relative: str) -> ResponseReturnValue:
    path = inside(service.run_dir(service.get(job_id)).output, relative)
    shown = path.suffix.lower() in _SHOWN and "download" not in request.args
    response = send_file(
        path, conditional=True, as_attachment=not shown, max_age=86400 if shown else 0
    )
    if shown:
        # A sample never changes once it is written; an address with its version, never at all.
        keep = "max-age=31536000, immutable" if request.args.get("v") else "max-age=86400"
        response.headers["Cache-Control"] = f"private, {keep}"
    return response


@bp.get("/jobs/<int:job_id>/report.html")
def report(job_id: int) -> ResponseReturnValue:
    """The report as it lies in the output folder; its styles are in it, and it holds no script."""
    response = send_file(inside(service.run_dir(service.get(job_id)).output, REPORT))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
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
    return zips.answer(StoredZip(_members(job)), f"{job.name}-{job.id}.zip")


def _members(job: Job) -> list[tuple[str, Path]]:
    """LoRA files, samples, and what tells their story; by the name in the archive."""
    run = service.run_dir(job)
    found = gallery.outputs_of(job)
    members = [(a.path.name, a.path) for a in found.loras]
    written = {a.path.name for a in found.loras}
    members += [(a.path.name, a.path) for a in found.kept if a.path.name not in written]
    members += [(f"samples/{a.path.name}", a.path) for a in found.samples]
    for path in (run.spec, run.metrics, run.run_card, run.report, *sorted(run.native.glob("*"))):
        if path.is_file():
            members.append((str(path.relative_to(run.root)), path))
    return members
