"""What an hour of this machine costs: as typed in, else as Vast tells, else as set at the start.

The one place that knows, and what a job has cost by it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app import preferences
from app.models import Job
from app.vast import MeterPreferences

if TYPE_CHECKING:
    from app.platform import Platform


def price_per_hour(platform: Platform) -> float | None:
    """The price of an hour; None where nobody knows. Needs an application context."""
    return price_by(platform, preferences.load(MeterPreferences))


def price_by(platform: Platform, rules: MeterPreferences) -> float | None:
    """The same, by preferences that are at hand."""
    if rules.price:
        return rules.price
    instance = platform.vast.instance
    if instance is not None and instance.price:
        return instance.price
    return platform.settings.price_per_hour


def source_of_price(platform: Platform) -> str:
    """Where ``price_per_hour`` is from, for people; empty where there is none."""
    if preferences.load(MeterPreferences).price:
        return "typed in below"
    if platform.vast.instance is not None and platform.vast.instance.price:
        return "told by Vast"
    return "from PRICE_PER_HOUR" if platform.settings.price_per_hour else ""


def seconds_used(job: Job) -> float:
    """How long the job's attempts have held the machine so far."""
    now = time.time()
    return sum((attempt.ended or now) - attempt.started for attempt in job.attempts)


def cost_so_far(platform: Platform, job: Job) -> float | None:
    """What the job has cost; None without a price."""
    price = price_per_hour(platform)
    return None if price is None else seconds_used(job) / 3600 * price


def costs(platform: Platform, job: Job) -> tuple[float | None, float | None]:
    """What it has cost, and what it will have cost when it ends as foreseen, where that is known."""
    price = price_per_hour(platform)
    if price is None:
        return None, None
    so_far = seconds_used(job) / 3600 * price
    if job.finish_at is None or not job.status.is_active:
        return so_far, None
    return so_far, so_far + max(0.0, job.finish_at - time.time()) / 3600 * price
