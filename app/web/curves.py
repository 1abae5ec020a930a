"""The curves of a job: numbers for the chart, a picture without JavaScript, tables for people."""

from __future__ import annotations

import math
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.jobs import curve_building, curve_values, curves, drawing, service
from app.models import Job
from app.web import filters, htmx

bp = Blueprint("curves", __name__)

MOST_AT_ONCE = 12


def of(job: Job) -> curves.Curves:
    """The job's curves, as far as they are there."""
    return curves.Curves(service.run_dir(job).curves)


def context(job: Job) -> dict[str, Any]:
    """What the fragment of the chart needs."""
    found = of(job)
    lacking = curve_building.is_lacking(job, service.run_dir(job))
    making = curve_building.work_of(job) if lacking else None
    names = [] if lacking else found.names()
    state = making and f"{making.state}.{making.version}"
    return {
        "job": job,
        "curve_names": names,
        "curves_lacking": lacking,
        "curve_task": making,
        "curves_version": f"{bool(names)}.{job.status.is_final}.{state}",
        **_values(found, names),
    }


def _values(found: curves.Curves, names: list[str]) -> dict[str, Any]:
    version = found.version()  # before the points are read: what comes meanwhile is new then
    rows = [curve_values.of(found, name) for name in names[:MOST_AT_ONCE]]
    return {"values": [row for row in rows if row is not None], "values_version": version}


@bp.get("/jobs/<int:job_id>/curves")
def fragment(job_id: int) -> ResponseReturnValue:
    found = context(service.get(job_id))
    return htmx.fragment("job_curves", **found, version=found["curves_version"])


@bp.post("/jobs/<int:job_id>/curves/build")
def build(job_id: int) -> ResponseReturnValue:
    """For a job of an older version, whose readings are in its table alone."""
    curve_building.start(service.get(job_id))
    return redirect(url_for("jobs.show", job_id=job_id, _anchor="job-curves"), 303)


@bp.get("/jobs/<int:job_id>/curves/values")
def values(job_id: int) -> ResponseReturnValue:
    """The curves in numbers, for whoever cannot see the chart."""
    job = service.get(job_id)
    found = of(job)
    told = _values(found, found.names())
    return htmx.fragment("curve_values", job=job, **told, version=told["values_version"])


@bp.get("/jobs/<int:job_id>/curves.json")
def numbers(job_id: int) -> ResponseReturnValue:
    """``series`` (comma-separated or repeated), ``from``, ``to``, ``width``, ``axis``, ``v``.

    ``since`` is the ``count`` of the last answer, for one series: then only what follows is sent.
    """
    job = service.get(job_id)
    found = of(job)
    version = f"{found.version()}.{job.state}"
    if htmx.shows(version):
        return "", 204
    axis: curves.Axis = "time" if request.args.get("axis") == "time" else "step"
    wanted = [w for text in request.args.getlist("series") for w in text.split(",") if w]
    drawn = {}
    for name in (wanted or [curves.LOSS])[:MOST_AT_ONCE]:
        whole = len(wanted) == 1 and not request.args.keys() & {"from", "to"}
        since = request.args.get("since", 0, type=int) if whole else 0
        width = max(50, min(curves.MOST_WIDTH, request.args.get("width", 800, type=int)))
        start, end = _bound("from", -math.inf), _bound("to", math.inf)
        drawn[name] = drawn_from(found, name, axis, since, start=start, end=end, width=width)
    names = found.names()
    return {
        "version": version,
        "final": job.status.is_final,
        "names": names,
        "titles": [filters.series_title(name) for name in names],
        "series": drawn,
    }


def _bound(name: str, default: float) -> float:
    value = request.args.get(name, default, type=float)
    return default if math.isnan(value) else value


def drawn_from(
    found: curves.Curves, name: str, axis: curves.Axis, since: int, **part: Any
) -> dict[str, Any]:
    """One curve as JSON: what follows ``since`` points, or the whole where that will not do."""
    newer = found.since(name, since, part["width"]) if since > 0 else None
    if newer is not None:
        return {**numbers_of(newer, axis), "count": newer.count, "since": since}
    whole = found.curve(name, axis=axis, **part)
    return {**numbers_of(whole, axis), "count": whole.count, "since": 0}


def numbers_of(curve: curves.Curve, axis: curves.Axis) -> dict[str, Any]:
    """One curve as JSON; null stands for what is no number."""
    by_time = axis == "time"
    return {
        "x": [round(s.time, 1) if by_time else s.step for s in curve.samples],
        "y": [float(f"{s.value:.6g}") if math.isfinite(s.value) else None for s in curve.samples],
        "odd": [
            round(s.time, 1) if by_time else s.step
            for s in curve.samples
            if not math.isfinite(s.value)
        ],
        "seams": [[round(s.time, 1) if by_time else s.step, s.attempt] for s in curve.seams],
    }


@bp.get("/jobs/<int:job_id>/curve.svg")
def picture(job_id: int) -> ResponseReturnValue:
    """The chart as a picture: ``series`` names one curve, the loss by itself."""
    job = service.get(job_id)
    name = request.args.get("series", curves.LOSS)
    text = drawing.svg([of(job).curve(name, width=360)], f"{name} of {job.name}")
    return Response(text, mimetype="image/svg+xml")


@bp.get("/jobs/<int:job_id>/metrics.csv")
def table(job_id: int) -> ResponseReturnValue:
    """Every reading as rows of series, step, attempt, time, value."""
    job = service.get(job_id)
    found = of(job)

    def rows() -> Any:
        yield "series,step,attempt,time,value\n"
        for name in found.names():
            series = found.series(name)
            for _, first, last in series.attempts():
                for at in range(first, last, 10_000):
                    part = series.between(at, min(at + 10_000, last))
                    yield "".join(
                        f"{_plain(name)},{s.step},{s.attempt},{s.time:.3f},{s.value}\n"
                        for s in part
                    )

    headers = {"Content-Disposition": f'attachment; filename="{job.name}-{job.id}-metrics.csv"'}
    return Response(rows(), mimetype="text/csv", headers=headers)


def _plain(name: str) -> str:
    """A name as one cell: no comma and no quote, and nothing that a spreadsheet would run."""
    return name.replace(",", " ").replace('"', " ").lstrip("=+-@")
