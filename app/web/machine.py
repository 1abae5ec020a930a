"""The machine beside its jobs: GPUs, processor, memory, disk, network, two minutes of each."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from app import tasks
from app.gpu import Gpu
from app.jobs import elsewhere, readings, service, store
from app.jobs.states import JobState
from app.machine import Host, Snapshot, cache
from app.machine.cache import CachePreferences
from app.machine.watch import HISTORY
from app.models import Job
from app.platform import current
from app.preferences import load, save
from app.web import htmx
from app.web.filters import size

bp = Blueprint("machine", __name__)

_WIDE, _HIGH = 240, 48


class Spark(NamedTuple):
    """A small curve: the path of its line, and of the area below it."""

    line: str
    area: str


@bp.get("/machine")
def index() -> ResponseReturnValue:
    return _page()


def _page(error: str = "") -> str:
    looked = tasks.latest(cache.SUBJECT, cache.KIND)
    return render_template(
        "pages/machine.html",
        limit=request.form.get("limit_gb") or f"{load(CachePreferences).limit_gb:g}",
        error=error,
        looked=looked,
        found=tasks.result_of(looked) if looked else {},
        **_now(),
    )


@bp.post("/machine/cache")
def set_cache() -> ResponseReturnValue:
    """How large the cache may be; it is tidied at once."""
    try:
        chosen = CachePreferences(limit_gb=request.form.get("limit_gb", ""))  # type: ignore[arg-type]
    except ValidationError:
        return _page("Give a number of gigabytes, from 0.1 to 10000."), 422
    save(chosen)
    cache.start()
    return redirect(url_for(".index", _anchor="cache"), 303)


@bp.get("/machine/now")
def now() -> ResponseReturnValue:
    return render_template("fragments/machine_now.html", **_now())


@bp.get("/jobs/<int:job_id>/machine")
def of_job(job_id: int) -> ResponseReturnValue:
    found = context(service.get(job_id), polled=True)
    return htmx.fragment("job_machine", **found, version=found["machine_version"])


def context(job: Job, *, polled: bool = False) -> dict[str, Any]:
    """What the strip of a job needs: its own GPUs, and the machine as it is, here or elsewhere.

    It stands there before the start and after the end that a page has seen, so that nothing jumps.
    """
    found: dict[str, Any] = {
        "job": job, "latest": None, "mine": [], "remote": None, "machine_version": "none",
    }  # fmt: skip
    if job.status.is_final and not polled:
        return found
    attempt = store.attempt_of(job) if job.status is not JobState.QUEUED else None
    executor = attempt.executor if attempt else elsewhere.runs_at(job.executor, current().settings)
    return found | (_here(job) if executor == "local" else _there(job))


def _here(job: Job) -> dict[str, Any]:
    latest = current().machine.latest()
    numbers = {int(number) for number in job.gpus.split(",") if number}
    mine = [gpu for gpu in latest.gpus if gpu.index in numbers] or list(latest.gpus[:1])
    host = latest.host
    told: list[tuple[object, ...]] = [
        (g.index, g.utilisation, g.memory_used, g.temperature, g.power) for g in mine
    ]
    # As finely as the strip shows it: on a calm machine nothing is new.
    told += [
        (
            host.cpu and round(host.cpu),
            size(host.memory_used),
            size(host.disk_total - host.disk_used),
        )
    ]
    version = f"{zlib.crc32(repr(told).encode()):08x}.{job.status.is_final}"
    return {"latest": latest, "mine": mine, "machine_version": version}


def _there(job: Job) -> dict[str, Any]:
    """What the run itself wrote down of its machine; nothing before it did."""
    remote = readings.latest(service.run_dir(job).attempt(job.attempt).root)
    if remote is None:
        return {"machine_version": f"none.{job.status.is_final}"}
    version = f"{remote.at:.0f}{'-old' if remote.is_old else ''}.{job.status.is_final}"
    return {"mine": remote.gpus, "remote": remote, "machine_version": version}


def _now() -> dict[str, Any]:
    history = current().machine.history()
    latest = history[-1]
    return {
        "latest": latest,
        "problem": current().gpus.report().problem,
        "cards": [_card(history, gpu) for gpu in latest.gpus],
        "host": {
            "cpu": _host(history, lambda h: h.cpu, 100),
            "memory": _host(history, lambda h: h.memory_used, latest.host.memory_total),
            "disk": _host(history, lambda h: _both(h.disk_read, h.disk_written)),
            "network": _host(history, lambda h: _both(h.received, h.sent)),
        },
        "data_dir": current().settings.data_dir,
    }


def _host(
    history: list[Snapshot], value: Callable[[Host], float | None], top: float | None = None
) -> Spark:
    """The first reading of all has no rates, and is no zero."""
    found = [(s.at, value(s.host)) for s in history]
    return spark([(at, told) for at, told in found if told is not None], top)


def _both(one: float | None, other: float | None) -> float | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _card(history: list[Snapshot], gpu: Gpu) -> dict[str, Any]:
    """One GPU: its curves, the job on it, its processes."""
    past = [(s.at, g) for s in history for g in s.gpus if g.index == gpu.index]

    def drawn(value: Callable[[Gpu], float | None], top: float | None = None) -> Spark:
        return spark([(at, value(g) or 0) for at, g in past], top)

    jobs = [job for job in store.active() if str(gpu.index) in job.gpus.split(",")]
    return {
        "gpu": gpu,
        "jobs": jobs,
        "use": drawn(lambda g: g.utilisation, 100),
        "memory": drawn(lambda g: g.memory_used, gpu.memory_total or 1),
        "power": drawn(lambda g: g.power),
        "temperature": drawn(lambda g: g.temperature, 100),
        "processes": [(pid, used, _name(pid)) for pid, used in gpu.processes],
    }


def _name(pid: int) -> str:
    """What runs under a number; empty where we may not know."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def spark(rows: Sequence[tuple[float, float]], top: float | None = None) -> Spark:
    """Paths in a box of 240 × 48, newest at the right edge; ``top`` is the full height.

    What was seen fills the box from the first seconds on, and two minutes of it at most.
    """
    if not rows:
        return Spark("", "")
    high = top or max([*(value for _, value in rows), 1e-9])
    if len(rows) == 1:
        rows = [(rows[0][0] - 1.0, rows[0][1]), rows[0]]  # one reading is a level, no point
    newest = rows[-1][0]
    seen = min(HISTORY, max(newest - rows[0][0], 1.0))
    places = [
        (
            max(0.0, _WIDE * (1 - (newest - at) / seen)),
            _HIGH - 1 - (_HIGH - 2) * min(1.0, value / high),
        )
        for at, value in rows
    ]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return Spark(line, f"{line}L{_WIDE} {_HIGH}L{places[0][0]:.1f} {_HIGH}Z")
