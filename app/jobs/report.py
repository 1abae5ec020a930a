"""A report of one run in one file: ``output/report.html`` opens anywhere, without us and without a script."""

from __future__ import annotations

import base64
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from app import pillow, tasks, yaml_text
from app.artifacts import Artifact
from app.db import db
from app.jobs import curves, drawing, gallery, service, store
from app.jobs.gallery import Row
from app.jobs.points import read_points
from app.jobs.report_words import clean, clean_text
from app.jobs.rundir import RunDir, TornFileError, read_json
from app.models import Job, Task
from app.numbers import number
from app.settings import ROOT
from app.tasks import Work

MOST_PICTURE_BYTES = 5_000_000
MOST_ROWS = 12
_PATIENCE_SECONDS, _LOOK_SECONDS = 20.0, 0.2
EDGES = (448, 320, 224)
"""Pixels of the longer side; the first size at which all pictures fit into the budget."""


def subject(job: Job) -> str:
    """What the background work of a job's report goes by."""
    return f"report:{job.id}"


def path_of(job: Job) -> Path | None:
    """The report, if it was written."""
    path = service.run_dir(job).report
    return path if path.is_file() else None


def version(job: Job) -> int:
    """Changes with each report."""
    path = path_of(job)
    return path.stat().st_mtime_ns if path else 0


def written_since(since: float) -> dict[int, float]:
    """When reports were last written, by job; of those written since then (epoch seconds)."""
    done = tasks.ended_since("job.report", "done", since)
    return {json.loads(task.arguments)["job"]: task.finished or 0.0 for task in done}


def start(job: Job, *, at_end: bool = False) -> Task:
    """Have it written, unless it is about to be. ``at_end`` waits until the end is written down."""
    running = tasks.latest(subject(job), "job.report")
    if running is not None and running.state == "waiting":
        return running
    return tasks.start("job.report", subject(job), {"job": job.id, "at_end": at_end})


def run(work: Work) -> dict[str, Any]:
    """Write the report of the job of number ``job``."""
    with work.database():
        job = store.get(int(work.arguments["job"]))
        tries = _PATIENCE_SECONDS / _LOOK_SECONDS if work.arguments.get("at_end") else 0
        while job.status.is_active and tries > 0:
            time.sleep(_LOOK_SECONDS)
            db.session.rollback()  # another process writes the end; a read still open would not see it
            job, tries = store.get(job.id), tries - 1
        text = render(job, work)
        path = service.run_dir(job).report
        path.parent.mkdir(parents=True, exist_ok=True)  # of a job that never came to its start
        partial = path.with_name(f".{path.name}.tmp")
        partial.write_text(text, "utf-8")
        os.replace(partial, path)
    return {"bytes": len(text.encode())}


def render(job: Job, work: Work | None = None) -> str:
    """The whole document. Nothing in it is loaded from elsewhere."""
    run_dir = service.run_dir(job)
    grid = gallery.of(job)
    rows = chosen(grid.rows)
    attempt = store.attempt_of(job)
    per_epoch = attempt.steps_per_epoch if attempt else None
    spec = clean(service.spec_of(job).model_dump(mode="json", by_alias=True, exclude_none=True))
    found = gallery.outputs_of(job)
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=_clock, words=clean_text, size=_size, number=number)
    return environment.get_template("report.html").render(
        job=job,
        grid=grid,
        rows=[(row, [pictures.get(c.file.path) if c else None for c in row.cells]) for row in rows]
        if (pictures := embedded(rows, work))
        else [],
        left_out=len(grid.rows) - len(rows),
        curve=curve_of(run_dir),
        spec=yaml_text.dump(spec),
        card=_card(run_dir),
        loras=[(lora, gallery.step_of(lora, per_epoch)) for lora in (*found.loras, *found.kept)],
        written=time.time(),
    )


def curve_of(run_dir: RunDir) -> str:
    """The loss as SVG, thinned so that no spike is lost; empty without a reading."""
    curve = curves.Curves(run_dir.curves).curve(curves.LOSS, width=drawing.WIDTH)
    if not curve.samples:
        # A run of an older version has its readings in the table alone.
        losses = curves.samples_of(read_points(run_dir.metrics), curves.Pace())[curves.LOSS]
        curve = curves.Curve(curves.LOSS, tuple(curves.thin(losses, drawing.WIDTH)), ())
    return drawing.svg([curve], "Loss over steps", inline=True) if curve.samples else ""


def chosen(rows: tuple[Row, ...]) -> list[Row]:
    """The newest and the first steps and some between them, evenly, newest first."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    last = len(rows) - 1
    return [rows[round(n * last / (MOST_ROWS - 1))] for n in range(MOST_ROWS)]


def embedded(rows: list[Row], work: Work | None = None) -> dict[str, str]:
    """Pictures as data addresses by path; in the largest size at which they fit the budget, newest first."""
    cells = [
        cell for row in rows for cell in row.cells if cell and gallery.kind_of(cell) == "picture"
    ]
    found: dict[str, str] = {}
    for edge in EDGES:
        found, spent = {}, 0
        for done, cell in enumerate(cells):
            data = _jpeg(cell, edge)
            spent += len(data) * 4 // 3
            if spent > MOST_PICTURE_BYTES:
                break
            if data:
                found[cell.file.path] = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            if work is not None:
                work.progress(done + 1, len(cells), cell.path.name, unit="pictures")
        else:
            return found
    return found


def _jpeg(cell: Artifact, edge: int) -> bytes:
    """A small JPEG; empty where the picture cannot be read."""
    made = io.BytesIO()
    try:
        with pillow.Image.open(cell.path) as image:
            image.draft("RGB", (edge * 2, edge * 2))
            image.thumbnail((edge, edge))
            image.convert("RGB").save(made, "JPEG", quality=80)
    except pillow.read_errors():
        return b""
    return made.getvalue()


def _card(run_dir: RunDir) -> dict[str, Any]:
    """What is needed to repeat the run; where the files lay on this machine is not."""
    try:
        card = read_json(run_dir.run_card) or {}
    except TornFileError:
        return {}
    engine = card.get("engine") or {}
    sums = card.get("datasets") or {}
    return {
        "Engine": engine.get("name"),
        "Engine commit": engine.get("commit"),
        "Planned steps": card.get("planned_steps"),
        "GPUs": ", ".join(map(str, card.get("gpus") or ())) or "none",
        "System": (card.get("machine") or {}).get("system"),
        "Datasets": "; ".join(f"{Path(path).name}: {_sum_of(told)}" for path, told in sums.items()),
    }


def _sum_of(told: Any) -> str:
    if isinstance(told, dict):
        return f"{len(told)} files with sha256 in run-card.json"
    return str(told)


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
