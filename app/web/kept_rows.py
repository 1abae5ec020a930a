"""Rows of the jobs table as they were drawn last: most jobs are over and never change again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flask import current_app
from markupsafe import Markup

from app.models import Job

MOST = 400
"""About 2 kB each."""
_EXTENSION = "lora-job-rows"


def kept_row(job: Job, *beside: Any, caller: Callable[[], str]) -> Markup:
    """What ``caller`` draws of the job; drawn anew when the job, or what stands ``beside``, changed.

    A job that is active is always drawn: its time left runs.
    """
    if job.status.is_active:
        return Markup(caller())
    # A number is given again after the newest job was deleted; not within the same moment.
    key = (job.id, job.created, job.version, *beside)
    rows: OrderedDict[tuple[Any, ...], Markup]
    rows = current_app.extensions.setdefault(_EXTENSION, OrderedDict())
    found = rows.get(key)
    if found is None:
        found = rows[key] = Markup(caller())
        while len(rows) > MOST:
            rows.popitem(last=False)
    return found
