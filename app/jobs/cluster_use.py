"""Which of a cluster's jobs are ours. Nothing is asked of Slurm here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.jobs import service, store
from app.jobs.rundir import TornFileError, read_json
from app.models import Job
from app.slurm.naming import read_name

if TYPE_CHECKING:
    from app.slurm.nodes import Cluster, Load


@dataclass(frozen=True)
class Use:
    """Jobs of one place, apart: ours with what Slurm says of them, and how many are others'."""

    ours: tuple[tuple[Job, Load], ...] = ()
    others: int = 0
    ours_waiting: int = 0
    others_waiting: int = 0


def our_jobs(cluster: Cluster) -> dict[str, Job]:
    """Our jobs by Slurm's number. Another dashboard's may bear the same name, but not the same mark."""
    named = [(load, ours) for load in cluster.jobs if (ours := read_name(load.name))]
    if not named:
        return {}
    active = {job.id: job for job in store.active()}
    found = {}
    for load, (number, attempt) in named:
        job = active.get(number)
        if job is not None and _was_sent(job, attempt, load.name):
            found[load.number] = job
    return found


def _was_sent(job: Job, attempt: int, name: str) -> bool:
    try:
        launch = read_json(service.run_dir(job).attempt(attempt).launch)
    except (TornFileError, OSError):
        return False
    slurm = (launch or {}).get("slurm")
    return isinstance(slurm, dict) and slurm.get("name") == name


def use(loads: Iterable[Load], ours: dict[str, Job]) -> Use:
    """These jobs of the cluster, ours and others'."""
    rows = list(loads)
    running = [load for load in rows if not load.waits]
    waiting = [load for load in rows if load.waits]
    return Use(
        ours=tuple((ours[load.number], load) for load in running if load.number in ours),
        others=sum(load.number not in ours for load in running),
        ours_waiting=sum(load.number in ours for load in waiting),
        others_waiting=sum(load.number not in ours for load in waiting),
    )
