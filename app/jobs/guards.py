"""Watches over runs: free disk, losses that are not numbers, silence, floods of log."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from app.jobs import store
from app.jobs.following import Following
from app.jobs.rundir import AttemptDir
from app.jobs.states import JobState
from app.models import Job

if TYPE_CHECKING:
    from app.platform import Platform

GB = 1_000_000_000


def free_gb(platform: Platform) -> float:
    """Free disk of the data folder in GB (10**9 bytes)."""
    return shutil.disk_usage(platform.settings.data_dir).free / GB


def holds_queue(platform: Platform) -> str:
    """Why nothing may start now; empty when jobs may start."""
    free, soft = free_gb(platform), platform.settings.disk_soft_gb
    reason = ""
    if free < soft:
        reason = (
            f"Only {free:.1f} GB of disk are free; jobs start again above {soft:g} GB "
            "(DISK_SOFT_GB). Delete old jobs or checkpoints."
        )
    if store.fact("held") != reason and (reason == "") != (store.fact("held") == ""):
        store.remember("held", reason)
    return reason


def watch(platform: Platform, job: Job, following: Following, folder: AttemptDir) -> None:
    """Stop a run that would fill the disk or that trains on nothing."""
    settings = platform.settings
    if job.status is not JobState.RUNNING:
        return
    free = free_gb(platform)
    if free < settings.disk_hard_gb:
        store.move(
            job,
            JobState.STOPPING,
            f"stopped: only {free:.2f} GB of disk were free (DISK_HARD_GB is {settings.disk_hard_gb:g})",
            wish="guard",
        )
        return
    limit = settings.nan_readings
    if limit and following.seen.nan_in_a_row >= limit:
        store.move(
            job,
            JobState.STOPPING,
            f"stopped: the loss was not a number {following.seen.nan_in_a_row} times in a row",
            wish="guard",
        )
