"""What is different about a job that runs on a cluster: where it is meant to run, and what is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.db import db
from app.errors import InvalidSpecError
from app.jobs import store
from app.jobs.executor import Running
from app.jobs.states import JobState
from app.models import Attempt, Job
from app.settings import Settings
from app.slurm.options import OptionError, SlurmOptions
from engines.base import LaunchPlan, Phase

if TYPE_CHECKING:
    from app.platform import Platform

MOST_GPUS = 64
AWAKE_SECONDS = 60.0
"""A waiting job is looked at so often, whatever Slurm says."""


def runs_at(wanted: str, settings: Settings) -> str:
    """Where the next attempt of a job runs, local or slurm, by what a person wants (empty: as usual)."""
    wanted = wanted or settings.executor
    return "slurm" if wanted == "slurm" and settings.slurm is not None else "local"


def why_nowhere(job: Job, settings: Settings) -> str:
    """Why the job cannot run where it was meant to; empty when it can."""
    if job.executor != "slurm" or settings.slurm is not None:
        return ""
    return (
        "It was meant for Slurm, which is not set up here any more. Set EXECUTOR or SLURM_PARTITION "
        "and retry, or clone it for this machine."
    )


def chosen(settings: Settings, place: Mapping[str, str]) -> dict[str, str]:
    """The columns of a new job, from what a person chose: executor, and fields of SlurmOptions.

    Raises InvalidSpecError naming the fields as ``place.<name>``.
    """
    said = {name: text.strip() for name, text in place.items() if text.strip()}
    executor = said.pop("executor", "")
    errors = {}
    if executor not in ("", "local", "slurm"):
        errors["place.executor"] = f"There is no executor {executor!r}; use local or slurm."
    elif executor == "slurm" and settings.slurm is None:
        errors["place.executor"] = "Slurm is not set up here; set EXECUTOR or SLURM_PARTITION."
    elif said and runs_at(executor, settings) != "slurm":
        errors[f"place.{next(iter(said))}"] = (
            "This is for jobs on Slurm; choose slurm, or leave it out."
        )
    text = ""
    try:
        text = as_text(SlurmOptions.checked(said))
    except OptionError as error:
        errors.setdefault(f"place.{error.field}", str(error))
    if errors:
        raise InvalidSpecError(errors)
    return {"executor": executor, "cluster": text}


def gpus_for(settings: Settings, place: Mapping[str, str]) -> int | None:
    """How many GPUs a plan may count on: as many as are asked for on a cluster; None: those here."""
    return MOST_GPUS if runs_at(place.get("executor", ""), settings) == "slurm" else None


def asked(job: Job) -> dict[str, str]:
    """What the job asks Slurm for by itself."""
    return dict(json.loads(job.cluster)) if job.cluster else {}


def as_text(options: SlurmOptions) -> str:
    """The same for the row."""
    chosen = options.chosen()
    return json.dumps(chosen) if chosen else ""


def plan_for_a_node(plan: LaunchPlan, there: Callable[[str], str]) -> LaunchPlan:
    """The plan with the paths of the nodes in the files that the trainer reads, and without GPU numbers.

    What this program opens itself keeps our paths: the control table, the steps of its orders. The
    command and the environment are mapped when they are handed over, and nothing may be mapped twice.
    """
    env = {name: text for name, text in plan.env.items() if name != "CUDA_VISIBLE_DEVICES"}
    return replace(plan, env=env, files={name: there(text) for name, text in plan.files.items()})


class Asleep:
    """Jobs that wait in Slurm's queue: looked at when its answer changes, not in each round.

    Hundreds of them would else be read and asked for each second, to learn nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: set[int] = set()
        self._changes = -1
        self._due = 0.0

    def now(self, platform: Platform) -> frozenset[int]:
        """Who may be left out of this round."""
        if not self._jobs:
            return frozenset()
        changes, now = platform.slurm.changes(), self._clock()
        if changes != self._changes or now >= self._due:
            self._changes, self._due = changes, now + AWAKE_SECONDS
            self._jobs.clear()
        return frozenset(self._jobs)

    def note(self, job: Job, status: Running) -> None:
        """How it stands after it was looked at."""
        if status.queued and job.status is JobState.STARTING:
            self._jobs.add(job.id)


class Waiting:
    """What jobs wait for, written down at the end of a round: hundreds often begin to wait for the same."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[int]] = {}

    def note(self, job: Job, words: str) -> None:
        """It waits for this."""
        if job.phase != words:
            self._jobs.setdefault(words, []).append(job.id)

    def write(self) -> None:
        """Show it on their rows."""
        jobs, self._jobs = self._jobs, {}
        for words, job_ids in jobs.items():
            store.change_all(job_ids, phase=words)


def note(job: Job, attempt: Attempt, status: Running, waiting: Waiting) -> None:
    """Show what it waits for, and tell once where it runs."""
    if status.waiting:
        waiting.note(job, status.waiting)
    elif job.phase not in _OF_A_TRAINER:
        store.change(job, phase="starting" if job.status is JobState.STARTING else "")
    if status.place and attempt.place != status.place:
        store.change_attempt(attempt, place=status.place)
        store.note(job, f"runs on {status.place}")


_OF_A_TRAINER = frozenset({"", *Phase})
"""What an active job's phase is while it waits for nothing; all else are words of Running.waiting."""


def tell_notice(platform: Platform) -> None:
    """Remember what people have to know about the cluster, when it changes."""
    if not uses_slurm(platform):
        return
    words = platform.slurm.notice()
    if store.fact(store.CLUSTER_NOTICE) != words:
        store.remember(store.CLUSTER_NOTICE, words)


def notice(platform: Platform) -> str:
    """What the supervisor remembered of it, for pages."""
    return store.fact(store.CLUSTER_NOTICE) if uses_slurm(platform) else ""


def places(job_ids: Sequence[int]) -> dict[int, str]:
    """Where these jobs are, as far as they are on a cluster: its node, or Slurm while they wait."""
    if not job_ids:
        return {}
    wanted = (
        select(Attempt.job_id, Attempt.place)
        .join(Job, (Job.id == Attempt.job_id) & (Job.attempt == Attempt.number))
        .where(Job.id.in_(job_ids), Attempt.executor == "slurm")
    )
    return {job_id: place or "Slurm" for job_id, place in db.session.execute(wanted)}


def uses_slurm(platform: Platform) -> bool:
    """Whether jobs are, or may be, on a cluster."""
    return platform.settings.slurm is not None
