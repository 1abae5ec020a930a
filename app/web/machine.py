"""The machine beside its jobs: GPUs, processor, memory, disk, network, two minutes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.gpu import Gpu
from app.jobs import readings, service, store
from app.machine import Snapshot
from app.machine.watch import HISTORY
from app.models import Job
from app.platform import current

bp = Blueprint("machine", __name__)

_WIDE, _HIGH = 240, 48


class Spark(NamedTuple):
    """A small curve: the path of its line, and of the area below it."""

    line: str
    area: str


@bp.get("/machine")
def index() -> ResponseReturnValue:
    return render_template("pages/machine.html", **_now())


@bp.get("/machine/now")
def now() -> ResponseReturnValue:
    return render_template("fragments/machine_now.html", **_now())


@bp.get("/jobs/<int:job_id>/machine")
def of_job(job_id: int) -> ResponseReturnValue:
    found = context(service.get(job_id))
    if found["latest"] is None and found["remote"] is None and not found["job"].status.is_final:
        return "", 204
    if found["machine_version"] and found["machine_version"] == request.args.get("v"):
        return "", 204
    return render_template("fragments/job_machine.html", **found)


def context(job: Job) -> dict[str, Any]:
    """What the strip of a job needs: its own GPUs, and the machine as it is, here or elsewhere."""
    found: dict[str, Any] = {
        "job": job,
        "latest": None,
        "mine": [],
        "remote": None,
        "machine_version": "",
    }
    if not job.status.is_active:
        return found
    attempt = store.attempt_of(job)
    if attempt is not None and attempt.executor != "local":
        remote = readings.latest(service.run_dir(job).attempt(job.attempt).root)
        if remote is None:
            return found
        version = f"{remote.at:.0f}{'-old' if remote.is_old else ''}"
        return {**found, "mine": remote.gpus, "remote": remote, "machine_version": version}
    latest = current().machine.history()[-1]
    mine = {int(number) for number in job.gpus.split(",") if number}
    return {**found, "latest": latest, "mine": [g for g in latest.gpus if g.index in mine]}


def _now() -> dict[str, Any]:
    history = current().machine.history()
    latest = history[-1]
    return {
        "latest": latest,
        "problem": current().gpus.report().problem,
        "cards": [_card(history, gpu) for gpu in latest.gpus],
        "host": {
            "cpu": spark((s.host.cpu for s in history), 100),
            "memory": spark((s.host.memory_used for s in history), latest.host.memory_total),
            "disk": spark(_rates(history, lambda h: (h.disk_read or 0) + (h.disk_written or 0))),
            "network": spark(_rates(history, lambda h: (h.received or 0) + (h.sent or 0))),
        },
        "data_dir": current().settings.data_dir,
    }


def _rates(history: list[Snapshot], rate: Callable[[Any], float]) -> list[float]:
    return [rate(s.host) for s in history]


def _card(history: list[Snapshot], gpu: Gpu) -> dict[str, Any]:
    """One GPU: its curves, the job on it, its processes."""
    past = [g for s in history for g in s.gpus if g.index == gpu.index]
    jobs = [job for job in store.active() if str(gpu.index) in job.gpus.split(",")]
    return {
        "gpu": gpu,
        "jobs": jobs,
        "use": spark((g.utilisation or 0 for g in past), 100),
        "memory": spark((g.memory_used or 0 for g in past), gpu.memory_total or 1),
        "power": spark(g.power or 0 for g in past),
        "temperature": spark((g.temperature or 0 for g in past), 100),
        "processes": [(pid, used, _name(pid)) for pid, used in gpu.processes],
    }


def _name(pid: int) -> str:
    """What runs under a number; empty where we may not know."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def spark(values: Iterable[float], top: float | None = None) -> Spark:
    """Paths in a box of 240 × 48, newest at the right edge; ``top`` is the full height."""
    rows = list(values)
    high = top or max([*rows, 1e-9])
    step = _WIDE / (HISTORY - 1)
    first = _WIDE - step * (len(rows) - 1)
    places = [
        f"{first + step * at:.1f} {_HIGH - 1 - (_HIGH - 2) * min(1.0, value / high):.1f}"
        for at, value in enumerate(rows)
    ]
    line = "M" + "L".join(places)
    return Spark(line, f"{line}L{_WIDE} {_HIGH}L{first:.1f} {_HIGH}Z")
