"""/metrics for Prometheus, behind the token like everything. Made anew at each question."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from app.db import db
from app.gpu import GpuReport
from app.jobs import store
from app.jobs.states import JobState
from app.models import Delivery, Job, Task
from app.platform import current

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

bp = Blueprint("prometheus", __name__)

_GPU = (
    ("utilisation_percent", "Use of the GPU.", "utilisation"),
    ("memory_used_bytes", "Memory in use.", "memory_used"),
    ("memory_total_bytes", "Memory of the card.", "memory_total"),
    ("temperature_celsius", "Temperature.", "temperature"),
    ("power_watts", "Power drawn now.", "power"),
)
_JOB = (
    ("step", "Optimizer steps done.", "step"),
    ("total_steps", "Steps planned.", "total_steps"),
    ("loss", "The newest loss.", "loss"),
    ("seconds_per_step", "Speed of the latest steps.", "seconds_per_step"),
)


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    # Imported at the first question: a server that nobody scrapes does not pay for it.
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector())
    text = generate_latest(registry)
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


class _Collector:
    """Reads everything when it is asked."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _jobs()
        yield from _machine()
        yield from _gpus(current().gpus.report())
        yield from _cluster()
        yield _counted("tasks", "Background work by state.", Task.state, ("waiting", "running"))
        wanted = ("waiting", "sent", "verified", "failed")
        yield _counted("deliveries", "Files for other places by state.", Delivery.state, wanted)


def _gauge(name: str, help: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"vast_lora_{name}", help, labels=labels)


def _single(name: str, help: str, value: float) -> GaugeMetricFamily:
    found = _gauge(name, help)
    found.add_metric([], value)
    return found


def _counted(name: str, help: str, column: Any, always: tuple[str, ...]) -> GaugeMetricFamily:
    rows = db.session.execute(select(column, func.count()).group_by(column)).all()
    counts = {**dict.fromkeys(always, 0), **{row[0]: row[1] for row in rows}}
    found = _gauge(name, help, ("state",))
    for state, count in counts.items():
        found.add_metric([state], count)
    return found


def _jobs() -> Iterator[GaugeMetricFamily]:
    yield _counted("jobs", "Jobs by state.", Job.state, tuple(JobState))
    held = select(func.count()).where(Job.state == JobState.QUEUED.value, Job.held.is_(False))
    yield _single("queue_length", "Jobs that wait for a place.", db.session.scalar(held) or 0)
    active = store.active()
    for name, help, column in _JOB:
        found = _gauge(f"job_{name}", help, ("job", "name", "family", "engine"))
        for job in active:
            value = getattr(job, column)
            if value is not None:
                found.add_metric([str(job.id), job.name, job.family, job.engine], value)
        yield found


def _machine() -> Iterator[GaugeMetricFamily]:
    platform = current()
    disk = shutil.disk_usage(platform.settings.data_dir)
    yield _single("disk_free_bytes", "Free disk of the data folder.", disk.free)
    yield _single("disk_total_bytes", "Disk of the data folder.", disk.total)
    last = platform.supervisor.last_tick
    if last is not None:
        age = time.monotonic() - last
        yield _single("supervisor_tick_age_seconds", "Since the supervisor's last tick.", age)


def _gpus(report: GpuReport) -> Iterator[GaugeMetricFamily]:
    for name, help, field in _GPU:
        found = _gauge(f"gpu_{name}", help, ("gpu", "name"))
        for gpu in report.gpus:
            value = getattr(gpu, field)
            if value is not None:
                found.add_metric([str(gpu.index), gpu.name], value)
        yield found


def _cluster() -> Iterator[GaugeMetricFamily]:
    """What the page of the machines knows anyway; nothing where there is no cluster."""
    watch = current().cluster
    if watch is None:
        return
    from app.slurm.nodes import Kind

    report = watch.report()
    up = 0 if report.problem or report.cluster is None else 1
    yield _single("cluster_up", "Whether Slurm's controller answers.", up)
    nodes = _gauge("cluster_nodes", "Machines of the cluster by state.", ("state",))
    kinds = [node.kind for node in report.cluster.nodes] if report.cluster else []
    for kind in get_args(Kind):
        nodes.add_metric([kind], kinds.count(kind))
    yield nodes
    gpus = _gauge("cluster_gpus", "GPUs of the cluster by type and state.", ("type", "state"))
    for one in report.cluster.gpus if report.cluster else ():
        for state in ("free", "busy", "out"):
            gpus.add_metric([one.type, state], getattr(one, state))
    yield gpus
