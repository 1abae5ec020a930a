"""Watches over runs: free disk, losses that are not numbers, silence, floods of log."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from app.jobs import logcap, store
from app.jobs.following import Following
from app.jobs.rundir import MOUNT_IT, AttemptDir
from app.jobs.states import JobState
from app.models import Job

if TYPE_CHECKING:
    from app.platform import Platform

GB = 1_000_000_000
SILENT = "no output for"
"""How the event of a silent run begins; messages are derived from it."""


def free_gb(platform: Platform) -> float:
    """Free disk of the data folder in GB (10**9 bytes)."""
    return shutil.disk_usage(platform.settings.data_dir).free / GB


def holds_queue(platform: Platform) -> str:
    """Why nothing may start now; empty when jobs may start."""
    jobs, soft = platform.settings.jobs_dir, platform.settings.disk_soft_gb
    reason = ""
    if not jobs.is_dir():
        reason = f"{jobs} is not there. {MOUNT_IT} Jobs start again when it is back."
    elif (free := free_gb(platform)) < soft:
        reason = (
            f"Only {free:.1f} GB of disk are free; jobs start again above {soft:g} GB "
            "(DISK_SOFT_GB). Delete old jobs or checkpoints."
        )
    # Not written anew with every megabyte.
    if bool(reason) != bool(store.fact("held")):
        store.remember("held", reason)
    return reason


def watch(platform: Platform, job: Job, following: Following, folder: AttemptDir) -> None:
    """Stop a run that would fill the disk or that trains on nothing; flag one that is silent."""
    settings = platform.settings
    logcap.keep_small(job, folder.log, int(settings.log_cap_mb * 1_000_000))
    _flag_silence(job, settings.stall_minutes * 60)
    if job.status is not JobState.RUNNING:
        return
    free = free_gb(platform)
    count, limit = following.seen.nan_in_a_row, settings.nan_readings
    if free < settings.disk_hard_gb:
        hard = f"{settings.disk_hard_gb:g}"
        reason = f"stopped: only {free:.2f} GB of disk were free (DISK_HARD_GB is {hard})"
        store.move(job, JobState.STOPPING, reason, wish="guard", cause="disk-full")
    elif limit and count >= limit:
        reason = f"stopped: the loss was not a number {count} times in a row"
        store.move(job, JobState.STOPPING, reason, wish="guard", cause="nan")


def _flag_silence(job: Job, seconds: float) -> None:
    """A run without any output for so long is flagged, with the phase it is in."""
    silent = time.time() - (job.last_output or job.started or time.time())
    stalled = bool(seconds) and silent > seconds
    if stalled == job.stalled:
        return
    store.change(job, stalled=stalled)
    if stalled:
        phase = job.phase or job.state
        store.note(job, f"{SILENT} {silent / 60:.0f} minutes while {phase}; it may hang")
    else:
        store.note(job, "it writes again")
