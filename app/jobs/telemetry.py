"""Remembers how much GPU memory an attempt used at most: the one honest basis for the next estimate."""

from __future__ import annotations

from app.jobs import readings, store
from app.jobs.rundir import RunDir
from app.models import Attempt, Job
from app.platform import Platform

_WORTH_WRITING = 64 << 20
"""A new peak is written when it grew by so many bytes, so that a steady run costs no writes."""


def note_peak(platform: Platform, job: Job, attempt: Attempt) -> int:
    """Look at the job's GPUs, which no other job uses; the sampler itself limits how often.

    The most bytes in use on one of them now; 0 without any. On another machine it is what the
    companion of the runner wrote down, which also saw what was while nobody looked.
    """
    if attempt.executor == "local":
        if not job.gpus:
            return 0
        mine = {int(number) for number in job.gpus.split(",") if number}
        used = [gpu.memory_used or 0 for gpu in platform.gpus.report().gpus if gpu.index in mine]
        now = peak = max(used, default=0)
    else:
        folder = RunDir(platform.settings.jobs_dir / str(job.id)).attempt(attempt.number).root
        found = readings.latest(folder)
        if found is None:
            return 0
        now = max((gpu.memory_used or 0 for gpu in found.gpus), default=0)
        peak = max(now, found.peak)
    if peak > (attempt.peak_vram or 0) + _WORTH_WRITING:
        store.change_attempt(attempt, peak_vram=peak)
    return now
