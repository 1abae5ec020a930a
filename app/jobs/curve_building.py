"""Makes the curves of a job that an older version left with its ``metrics.csv`` alone."""

from __future__ import annotations

from app import tasks
from app.jobs import curves, points
from app.jobs.rundir import RunDir
from app.models import Job, Task
from app.tasks import Work

KIND = "curves.build"
_AT_ONCE = 256 << 10
"""A file of so many bytes is read within a request: some 5,000 rows, 50 ms."""


def prepare(job: Job, run: RunDir) -> Task | None:
    """See that the curves of a job that is over are there; the work that is still making them.

    A job that runs has a writer of its own.
    """
    found = curves.Curves(run.curves)
    if not job.status.is_final or found.built() or not run.metrics.is_file():
        return None
    if run.metrics.stat().st_size <= _AT_ONCE:
        found.build(points.read_points(run.metrics))
        return None
    subject = f"curves:{job.id}"
    made = tasks.latest(subject, KIND)
    if made is None or (made.is_final and made.state != "failed"):
        made = tasks.start(KIND, subject, {"job": job.id})
    return made


def run(work: Work) -> dict[str, int]:
    """The task."""
    run = RunDir(work.settings.jobs_dir / str(int(work.arguments["job"])))
    curves.Curves(run.curves).build(points.read_points(run.metrics))
    return {}
