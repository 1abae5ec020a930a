"""Rows of the jobs table as they were drawn last: most jobs are over and never change again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from markupsafe import Markup

from app.jobs import listing
from app.jobs.listing import Line
from app.models import Job

MOST = 400
"""About 2 kB each."""
_EXTENSION = "lora-job-rows"


@dataclass
class Part:
    """A part of the table: rows that are drawn already, or the job to draw one of."""

    drawn: Markup | None = None
    job: Job | None = None
    safe: bool = False
    """It is backed up."""
    took: float | None = None
    """Seconds that it ran, where it is over."""

    def keep(self, caller: Callable[[], str]) -> Markup:
        """What ``caller`` draws of the job; kept, unless it is active: its time left runs."""
        drawn = Markup(caller())
        if self.job is not None and not self.job.status.is_active:
            kept = _kept()
            kept[_key(self.job, self.safe)] = drawn
            while len(kept) > MOST:
                kept.popitem(last=False)
        return drawn


def parts_of(lines: Sequence[Line], safe: Collection[int]) -> list[Part]:
    """The rows of these lines; the jobs of those that have to be drawn are read here, all at once."""
    kept = _kept()
    found = [None if line.is_active else kept.get(_key(line, line.id in safe)) for line in lines]
    wanted = [line.id for line, drawn in zip(lines, found, strict=True) if drawn is None]
    jobs = listing.jobs_of(wanted)
    took = listing.seconds_of([job.id for job in jobs.values() if job.status.is_final])
    parts: list[Part] = []
    together: list[Markup] = []
    for line, drawn in zip(lines, found, strict=True):
        if drawn is not None:
            together.append(drawn)
        elif line.id in jobs:  # else it was deleted just now
            parts.append(Part(_joined(together)))
            parts.append(Part(None, jobs[line.id], line.id in safe, took.get(line.id)))
            together = []
    return [part for part in (*parts, Part(_joined(together))) if part.job or part.drawn]


def _joined(rows: Sequence[Markup]) -> Markup:
    return Markup("".join(rows))


def _key(job: Job | Line, safe: bool) -> tuple[Any, ...]:
    # A number is given again after the newest job was deleted; not within the same moment.
    made = job.at if isinstance(job, Line) else listing.moment(job)
    return job.id, made, job.version, safe


def _kept() -> OrderedDict[tuple[Any, ...], Markup]:
    found: OrderedDict[tuple[Any, ...], Markup]
    found = current_app.extensions.setdefault(_EXTENSION, OrderedDict())
    return found
