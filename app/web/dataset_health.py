"""The health report of a dataset and the buckets that it gives."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import tasks
from app.datasets import bucketing, fixing, health, library, scanning
from app.errors import UserError
from app.models import Dataset
from engines.spec import EngineName

bp = Blueprint("dataset_health", __name__, url_prefix="/datasets/<int:dataset_id>")

SHOWN = 8
ENGINES: tuple[EngineName, ...] = ("ai-toolkit", "kohya_ss")
DIVISORS = (16, 32)


@bp.get("/health")
def show(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    scanning.refresh(dataset)
    resolution = _number("resolution", 1024, most=8192)
    try:
        found = health.examine(dataset, resolution)
    except OSError as error:
        raise UserError(f"{dataset.path} cannot be read: {error.strerror}.") from error
    task = tasks.latest(f"dataset:{dataset.id}", health.REPORT)
    return render_template(
        "pages/dataset_health.html",
        dataset=dataset,
        health=found,
        fixes={key: title for key, (title, _) in fixing.FIXES.items()},
        shown=SHOWN,
        task=task if task is not None and task.state not in ("done", "cancelled") else None,
        reported=task is not None,
        **_buckets(dataset, resolution),
    )


def _buckets(dataset: Dataset, resolution: int) -> dict[str, Any]:
    asked = request.args.get("engine", "")
    engine: EngineName = "kohya_ss" if asked == "kohya_ss" else "ai-toolkit"
    step = _number("step", 64, most=512)
    divisor = 32 if request.args.get("divisor") == "32" else 16
    upscale = request.args.get("upscale") == "1"
    rows = bucketing.rows(dataset, engine, resolution, step=step, upscale=upscale, divisor=divisor)
    return {
        "resolution": resolution, "engine": engine, "engines": ENGINES, "step": step,
        "divisor": divisor, "divisors": DIVISORS, "upscale": upscale, "buckets": rows,
        "most": max((row.pictures for row in rows), default=1),
    }  # fmt: skip


def _number(name: str, usual: int, *, most: int) -> int:
    text = request.args.get(name, "").strip()
    return int(text) if text.isdigit() and 8 <= int(text) <= most else usual


@bp.post("/report")
def report(dataset_id: int) -> ResponseReturnValue:
    """Read every picture whole, in the background; goes on where an earlier one ended."""
    dataset = library.get(dataset_id)
    if not health.is_running(dataset):
        tasks.start(health.REPORT, f"dataset:{dataset.id}", {"dataset": dataset.id})
    return redirect(url_for(".show", dataset_id=dataset.id), 303)


@bp.post("/fix")
def fix(dataset_id: int) -> ResponseReturnValue:
    dataset = library.get(dataset_id)
    fixing.fix(dataset, request.form.get("fix", ""))
    return redirect(url_for(".show", dataset_id=dataset.id), 303)
