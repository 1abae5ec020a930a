"""Why a queued job has not started, for its own page."""

from __future__ import annotations

import time

from sqlalchemy import func, select

from app.db import db
from app.jobs import elsewhere, service, slots, store
from app.models import Job
from app.platform import Platform


def why_waiting(platform: Platform, job: Job) -> str:
    """A sentence or two; empty where a round will start it, or where its phase tells already.

    Needs a context.
    """
    if job.state != "queued" or job.held or job.phase not in ("", "queued"):
        return ""
    if service.queue_paused():
        return "The queue is paused: nothing starts before Resume queue is pressed on the list of jobs."
    if held := store.fact("held"):
        return held
    if job.not_before > time.time():
        return "After several interruptions its next attempt waits for some minutes."
    if elsewhere.runs_at(job.executor, platform.settings) == "slurm":
        return ""
    active = store.active()
    if slots.Slots.now(platform, active).take(job) is not None:
        return ""
    told = [f"It waits for {_place(platform, job)}."]
    if active:
        told.append(
            f"Now at work: {', '.join(f'{other.name} #{other.id}' for other in active[:4])}."
        )
    if before := _before(job):
        told.append(f"Before it in the queue: {before}.")
    return " ".join(told)


def _place(platform: Platform, job: Job) -> str:
    report = platform.gpus.report()
    if not report.gpus:
        broken = "the NVIDIA driver, which does not answer"
        return broken if report.broken else "the processor, which trains one job at a time"
    able = slots.chosen(job, [gpu.index for gpu in report.gpus])
    away = [
        f"GPU {gpu.index}: {why}"
        for gpu in report.gpus
        if gpu.index in able and (why := slots.why_not(gpu, platform.settings.gpus))
    ]
    named = f"GPU {job.gpu_choice}" if job.gpu_choice else "a free GPU"
    return f"{named} ({'; '.join(away)})" if away else named


def _before(job: Job) -> int:
    """Queued jobs, not held, whose turn comes first."""
    sooner = (Job.priority > job.priority) | ((Job.priority == job.priority) & (Job.id < job.id))
    waits = (Job.state == "queued") & ~Job.held
    return int(db.session.scalar(select(func.count()).select_from(Job).where(waits & sooner)) or 0)
