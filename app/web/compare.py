"""Jobs side by side: their curves, what differs between their specs, their samples."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from app.artifacts import Artifact
from app.jobs import comparing, curves, drawing, service
from app.models import Job
from app.web import curves as curve_routes

bp = Blueprint("compare", __name__)

_OFFERED = 50


@bp.get("/compare")
def index() -> ResponseReturnValue:
    """``jobs`` names them, as ``3,5`` or once each; ``step`` chooses the samples."""
    text = _text()
    jobs = comparing.jobs_of(text)
    steps, shots = comparing.shots(jobs, request.args.get("step", type=int))
    names = [name for job in jobs for name in curve_routes.of(job).names()]
    chosen = {job.id for job in jobs}
    return render_template(
        "pages/compare.html",
        jobs=jobs,
        text=text,
        rows=comparing.rows(jobs) if jobs else [],
        names=list(dict.fromkeys(names)),
        steps=steps,
        shots=shots,
        step=shots[0].step if shots else None,
        others=[job for job in service.page(limit=_OFFERED).jobs if job.id not in chosen],
        relative=_relative,
    )


@bp.get("/compare.svg")
def picture() -> ResponseReturnValue:
    """The losses of all in one picture, for pages without JavaScript."""
    drawn = []
    for job in comparing.jobs_of(_text()):
        curve = curve_routes.of(job).curve(curves.LOSS, width=360)
        drawn.append(curves.Curve(f"{job.name} #{job.id}", curve.samples, curve.seams))
    return Response(drawing.svg(drawn, "Loss over steps"), mimetype="image/svg+xml")


def _text() -> str:
    return ",".join(part for part in request.args.getlist("jobs") if part)


def _relative(job: Job, sample: Artifact) -> str:
    return sample.path.relative_to(service.run_dir(job).output).as_posix()
