"""The health report of a dataset and the buckets that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import tasks
from app.datasets import bucketing, fixing, health, library, scanning
from app.jobs import dataset_change, service, using
from app.models import Dataset
from app.numbers import whole
from app.web import htmx
from engines.registry import ENGINE_NAMES

bp = Blueprint("dataset_health", __name__)

SHOWN = 8
DIVISORS = (16, 32)


@bp.get("/datasets/<int:dataset_id>/health")
def show(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    scanning.refresh(dataset)
    resolution = _number("resolution", 1024, most=8192)
    try:
        found = health.examine(dataset, resolution)
    except OSError as error:
        raise library.folder_lost(dataset, error) from error
    report, drawing = (
        tasks.latest(f"dataset:{dataset.id}", kind) for kind in (health.REPORT, fixing.KIND)
    )
    newest = max((t for t in (report, drawing) if t), key=lambda task: task.id, default=None)
    return render_template(
        "pages/dataset_health.html",
        dataset=dataset,
        health=found,
        fixes={key: title for key, (title, _) in fixing.FIXES.items()},
        shown=SHOWN,
        task=newest if newest and newest.state not in ("done", "cancelled") else None,
        reported=report is not None,
        **_buckets(dataset, resolution),
    )


def _buckets(dataset: Dataset, resolution: int) -> dict[str, Any]:
    asked = request.args.get("engine", "")
    engine = asked if asked in ENGINE_NAMES else ENGINE_NAMES[0]
    step = _number("step", 64, most=512)
    divisor = 32 if request.args.get("divisor") == "32" else 16
    upscale = request.args.get("upscale") == "1"
    rows = bucketing.rows(dataset, engine, resolution, step=step, upscale=upscale, divisor=divisor)
    return {
        "resolution": resolution, "engine": engine, "engines": ENGINE_NAMES, "step": step,
        "divisor": divisor, "divisors": DIVISORS, "upscale": upscale, "buckets": rows,
        "most": max((row.pictures for row in rows), default=1),
    }  # fmt: skip


def _number(name: str, usual: int, *, most: int) -> int:
    given = whole(request.args.get(name, ""))
    return given if given is not None and 8 <= given <= most else usual


@bp.post("/datasets/<int:dataset_id>/report")
def report(dataset_id: int) -> ResponseReturnValue:
    """Read every picture whole, in the background; goes on where an earlier one ended."""
    dataset = library.get(dataset_id)
    health.start(dataset)
    return redirect(url_for(".show", dataset_id=dataset.id), 303)


@bp.post("/datasets/<int:dataset_id>/fix")
def fix(dataset_id: int) -> ResponseReturnValue:
    dataset, key = library.get(dataset_id), request.form.get("fix", "")
    if key in fixing.MOVING:
        using.refuse_if_training(library.folder(dataset), dataset.name)
    fixing.order(dataset, key)
    return redirect(url_for(".show", dataset_id=dataset.id), 303)


@bp.get("/jobs/<int:job_id>/datasets")
def change(job_id: int) -> ResponseReturnValue:
    """What became of a job's datasets since it began; asks again while files are compared."""
    job = service.get(job_id)
    changes = dataset_change.since(service.run_dir(job))
    links = {found.path: library.by_path(Path(found.path)) for found in changes}
    version = ".".join(str(found.unsure) for found in changes)
    return htmx.fragment(
        "job_dataset_change", version=version, job=job, changes=changes, links=links
    )
