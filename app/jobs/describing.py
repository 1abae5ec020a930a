"""A job in the words of the API and of ``--json``."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from app.models import Job


def as_json(job: Job) -> dict[str, Any]:
    """A job as the API and ``--json`` print it. Times are ISO 8601 in UTC, states lower case."""
    return {
        "id": job.id,
        "name": job.name,
        "engine": job.engine,
        "family": job.family,
        "state": job.state,
        "reason": job.reason,
        "suggestion": job.suggestion,
        "attempt": job.attempt,
        "phase": job.phase,
        "step": job.step,
        "total_steps": job.total_steps,
        "loss": job.loss if job.loss is not None and math.isfinite(job.loss) else None,
        "seconds_per_step": job.seconds_per_step,
        "gpus": job.gpus,
        "held": job.held,
        "priority": job.priority,
        "created": iso(job.created),
        "started": iso(job.started),
        "finished": iso(job.finished),
    }


def iso(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
