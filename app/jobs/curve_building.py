"""Makes the curves of jobs that an older version left with their ``metrics.csv`` alone.

The curves of a job of this version are made while it runs. Those of before are looked for once,
after the first start with this version; where a folder came in later, a person asks for it.
"""

from __future__ import annotations

from app import tasks
from app.jobs import curves, points, store
from app.jobs.rundir import RunDir
from app.jobs.states import FINAL
from app.models import Job, Task
from app.tasks import Work

KIND = "curves.build"
_ALL = "curves"
_LOOKED = "curves.looked"


class Watcher:
    """Called by the supervisor at each of its ticks; costs nothing after the first."""

    def __init__(self) -> None:
        self._done = False

    def tick(self) -> None:
        """Have the curves of all jobs looked at, once in the life of a data folder."""
        if self._done:
            return
        if not store.fact(_LOOKED):
            counts = store.counts()
            if any(counts.get(state) for state in FINAL):
                tasks.start(KIND, _ALL)
            store.remember(_LOOKED, "yes")
        self._done = True


def is_lacking(job: Job, run: RunDir) -> bool:
    """Whether a job that is over has readings that are not in its curves."""
    return job.status.is_final and run.metrics.is_file() and not curves.Curves(run.curves).built()


def work_of(job: Job) -> Task | None:
    """The newest work on the curves of a job, or on those of all."""
    own = tasks.latest(_subject(job), KIND)
    every = tasks.latest(_ALL, KIND)
    return own or (every if every and not every.is_final else None)


def start(job: Job) -> Task:
    """Have the curves of a job made, unless that is under way."""
    under_way = work_of(job)
    if under_way is not None and not under_way.is_final:
        return under_way
    return tasks.start(KIND, _subject(job), {"job": job.id})


def _subject(job: Job) -> str:
    return f"curves:{job.id}"


def run(work: Work) -> dict[str, int]:
    """The task: one job's, or those of every run directory that lacks them."""
    wanted = work.arguments.get("job")
    folders = work.settings.jobs_dir.glob("[0-9]*" if wanted is None else str(int(wanted)))
    lacking = [run for run in map(RunDir, folders) if run.metrics.is_file()]
    lacking = [run for run in lacking if not curves.Curves(run.curves).built()]
    for done, run in enumerate(lacking):
        work.progress(done, len(lacking), f"Job {run.root.name}", unit="jobs")
        curves.Curves(run.curves).build(points.read_points(run.metrics))
    return {"built": len(lacking)}
