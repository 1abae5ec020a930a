"""What this machine costs: the one place that knows, and what a job has cost by it."""

from __future__ import annotations

import time

from app.models import Job
from app.platform import Platform


def price_per_hour(platform: Platform) -> float | None:
    """Price per hour in the user's currency; None where nobody told."""
    return platform.settings.price_per_hour


def seconds_used(job: Job) -> float:
    """How long the job's attempts have held the machine so far."""
    now = time.time()
    return sum((attempt.ended or now) - attempt.started for attempt in job.attempts)


def cost_so_far(platform: Platform, job: Job) -> float | None:
    """What the job has cost; None without a price."""
    price = price_per_hour(platform)
    return None if price is None else seconds_used(job) / 3600 * price


def cost_at_end(platform: Platform, job: Job) -> float | None:
    """What it will have cost when it ends as foreseen; None where that is not known."""
    so_far = cost_so_far(platform, job)
    price = price_per_hour(platform)
    if so_far is None or price is None or job.finish_at is None:
        return None
    return so_far + max(0.0, job.finish_at - time.time()) / 3600 * price
