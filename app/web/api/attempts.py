"""Which attempt of a job a request is about."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from app.errors import NotFoundError
from app.jobs import service
from app.models import Job
from app.web.api.registry import Given

_MOST = 2**63 - 1


class AttemptQuery(Given):
    """An attempt."""

    attempt: int | None = Field(None, ge=1, le=_MOST, description="Default: the newest.")


def log_of(job: Job, query: AttemptQuery) -> tuple[int, Path]:
    """The attempt that is meant, and its log. Raises NotFoundError where there is none (yet)."""
    number = query.attempt or job.attempt
    if number > job.attempt or not number:
        raise NotFoundError(f"Job {job.id} has no attempt {number or 1}.")
    return number, service.run_dir(job).attempt(number).log
