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
class Row:
    """A row of the table: drawn already, or the job to draw it of. ``safe``: it is backed up."""

    safe: bool
    drawn: Markup | None
    job: Job | None

    def keep(self, caller: Callable[[], str]) -> Markup:
        """What ``caller`` draws of the job; kept, unless it is active: its time left runs."""
        drawn = Markup(caller())
        if self.job is not None and not self.job.status.is_active:
            kept = _kept()
            kept[_key(self.job, self.safe)] = drawn
            while len(kept) > MOST:
                kept.popitem(last=False)
        return drawn


def rows_of(lines: Sequence[Line], safe: Collection[int]) -> list[Row]:
    """A row for each line; the jobs of those that have to be drawn are read here, all at once."""
    kept = _kept()
    found = {
        line.id: None if line.is_active else kept.get(_key(line, line.id in safe)) for line in lines
    }
    jobs = listing.jobs_of([number for number, drawn in found.items() if drawn is None])
    return [
        Row(number in safe, drawn, jobs.get(number))
        for number, drawn in found.items()
        if drawn is not None or number in jobs  # else deleted just now
    ]


def _key(job: Job | Line, safe: bool) -> tuple[Any, ...]:
    # A number is given again after the newest job was deleted; not within the same moment.
    return job.id, job.created, job.version, safe


def _kept() -> OrderedDict[tuple[Any, ...], Markup]:
    found: OrderedDict[tuple[Any, ...], Markup]
    found = current_app.extensions.setdefault(_EXTENSION, OrderedDict())
    return found
