"""The queue, the engines and the machine."""

from __future__ import annotations

import shutil
import time

from app.jobs import guards, service, store
from app.platform import current
from app.web.api.registry import operation
from app.web.api.shapes import (
    EngineJson,
    Engines,
    GpuJson,
    Gpus,
    QueueJson,
    SystemJson,
)


@operation("GET /queue", tag="Queue", answer=QueueJson)
def queue() -> QueueJson:
    """Show how the queue stands."""
    return QueueJson(paused=service.queue_paused(), held=store.fact("held"), counts=store.counts())


@operation("POST /queue/pause", tag="Queue", answer=QueueJson)
def pause() -> QueueJson:
    """Start no further job; running ones go on."""
    service.pause_queue()
    return queue()


@operation("POST /queue/resume", tag="Queue", answer=QueueJson)
def resume() -> QueueJson:
    """Start jobs again."""
    service.resume_queue()
    return queue()


@operation("GET /engines", tag="Machine", answer=Engines)
def engines() -> Engines:
    """List the engines and whether they are installed."""
    return Engines(
        engines=[
            EngineJson(
                name=e.name,
                installed=e.installed,
                problem=e.problem,
                home=str(e.home),
                python=e.python,
            )
            for e in service.engines()
        ]
    )


@operation("GET /gpus", tag="Machine", answer=Gpus)
def gpus() -> Gpus:
    """List the GPUs and how they are doing."""
    report = current().gpus.report()
    names = tuple(GpuJson.model_fields)
    found = [GpuJson(**{name: getattr(gpu, name) for name in names}) for gpu in report.gpus]
    return Gpus(gpus=found, problem=report.problem)


@operation("GET /system", tag="Machine", answer=SystemJson)
def system() -> SystemJson:
    """Show disk and supervisor."""
    platform = current()
    disk = shutil.disk_usage(platform.settings.data_dir)
    last = platform.supervisor.last_tick
    return SystemJson(
        disk_total=disk.total,
        disk_free=disk.free,
        disk_soft=int(platform.settings.disk_soft_gb * guards.GB),
        supervising=platform.supervisor.is_first,
        last_tick_seconds=None if last is None else time.monotonic() - last,
    )
