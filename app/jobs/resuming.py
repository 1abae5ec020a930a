"""Finds where an attempt goes on, and keeps torn or unwanted files out of the engine's sight."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from pathlib import Path

from app import artifacts
from app.errors import UserError
from app.jobs import checking, store, workspace
from app.jobs.installations import Installation
from app.jobs.rundir import RunDir
from app.models import Job
from app.platform import Platform
from engines.base import ResumePoint, SavedState
from engines.spec import JobSpec

_LATE_SECONDS = 60.0
"""The clock that stamps files may be so much ahead of the one that tells when an attempt ended."""


def resume_point(
    platform: Platform, job: Job, spec: JobSpec, run: RunDir, installation: Installation
) -> ResumePoint | None:
    """Where the attempt starts. A fresh start moves what is there out of the engine's sight.

    ai-toolkit takes the newest file of its folder whether asked or not, so torn files are
    moved away as well. Raises UserError where what the job was to begin with is gone.
    """
    earlier = job.attempt > 1 and bool(_written(job, run))
    # "never" is about attempts that were cut short; a finished run is continued because somebody asks for it.
    anew = job.fresh or (spec.resume == "never" and not job.target_steps)
    if earlier and anew:
        _move_away(job, run)
    if anew or not earlier:
        return _beginning(platform, spec)
    states = artifacts.saved_states(run.output, installation.engine, spec.name)
    bad = {file.path for file in installation.engine.quarantine(states)}
    for state in states:
        if state.file.path in bad:
            _set_aside(job, run, state.path)
    left = [_with_step(job, state) for state in states if state.file.path not in bad]
    # An attempt that was cut short before its first save begins as the first one did.
    own = installation.engine.resume_point(left, known_steps_per_epoch(job))
    return own or _beginning(platform, spec)


def _written(job: Job, run: RunDir) -> list[Path]:
    """What earlier attempts left in the output folder, but for what a person pinned."""
    pinned = artifacts.kept_folder(job.name)
    there = run.output.iterdir() if run.output.exists() else ()
    return [path for path in there if path.name != pinned]


def _move_away(job: Job, run: RunDir) -> None:
    """Out of the engine's sight with what was written; what is pinned stays where it is."""
    pinned = artifacts.kept_folder(job.name)
    away = run.attempt(job.attempt - 1).root / "output"
    away.parent.mkdir(parents=True, exist_ok=True)
    run.output.rename(away)
    if (away / pinned).is_dir():
        run.output.mkdir()
        (away / pinned).rename(run.output / pinned)
    where = away.relative_to(run.root)
    store.note(job, f"what attempt {job.attempt - 1} wrote was moved to {where}")


def _beginning(platform: Platform, spec: JobSpec) -> ResumePoint | None:
    """Where a job begins that has saved nothing: with the weights that it names, if it names any."""
    if problem := checking.start_problem(platform, spec):
        raise UserError(f"{problem} Clone the job and choose another start.")
    return workspace.starting_point(spec, platform.settings)


def _with_step(job: Job, state: SavedState) -> SavedState:
    """sd-scripts' own count in a state is of one attempt; a finished run's is ours, as far as the
    attempt came that wrote it. A later one, cut off before its first save, came further.
    """
    if state.file.kind != "state" or not state.file.final or not job.target_steps:
        return state
    over = [attempt for attempt in job.attempts if attempt.ended is not None]
    wrote = [a for a in over if a.started <= state.mtime <= (a.ended or 0.0) + _LATE_SECONDS]
    # None where the files were copied without their times.
    wrote = wrote or [attempt for attempt in over if attempt.outcome == "succeeded"]
    return dataclasses.replace(state, step=wrote[-1].last_step if wrote else job.step)


def _set_aside(job: Job, run: RunDir, path: Path) -> None:
    target = run.root / "torn" / f"{path.name}.{uuid.uuid4().hex[:6]}"
    target.parent.mkdir(exist_ok=True)
    shutil.move(path, target)
    store.note(
        job, f"{path.name} was incomplete (the machine stopped while it was written); set aside"
    )


def known_steps_per_epoch(job: Job) -> int | None:
    """What the engine itself printed in the latest attempt that got so far."""
    told = [a.steps_per_epoch for a in job.attempts if a.steps_per_epoch]
    return told[-1] if told else None
