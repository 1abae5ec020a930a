"""What an hour of this machine costs: as typed in, else as Vast tells, else as set at the start.

The one place that knows, and what a job has cost by it. Nobody here knows what a cluster costs, so
that time there is told and not charged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from app import preferences
from app.models import Attempt, Job
from app.vast import MeterPreferences

if TYPE_CHECKING:
    from app.platform import Platform

HERE = "local"
"""The executor of what runs on the machine that is paid for."""


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


def cost_between(
    platform: Platform, rules: MeterPreferences, begin: float, end: float
) -> float | None:
    """What the machine costs from ``begin`` to ``end`` (epoch seconds): each hour at the price that Vast told
    for it, as far as that was seen since this program was started; None where nobody knows the price.
    """
    price = price_by(platform, rules)
    told = platform.vast.prices
    if price is None or rules.price or not told or told[-1][1] != price:
        return None if price is None else (end - begin) / 3600 * price
    since = [begin, *(max(begin, at) for at, _ in told[1:]), end]
    hours = [max(0.0, min(b, end) - a) / 3600 for a, b in pairwise(since)]
    return sum(h * p for h, (_, p) in zip(hours, told, strict=True))


def source_of_price(platform: Platform) -> str:
    """Where ``price_per_hour`` is from, for people; empty where there is none."""
    if preferences.load(MeterPreferences).price:
        return "typed in below"
    if platform.vast.instance is not None and platform.vast.instance.price:
        return "told by Vast"
    return "from PRICE_PER_HOUR" if platform.settings.price_per_hour else ""


def dollars(amount: float) -> str:
    """Money for people. Vast bills in US dollars, so every price here is one."""
    return f"${amount:.2f}"


def seconds_used(job: Job) -> float:
    """How long the job's attempts have run so far, here or elsewhere."""
    return _seconds(job.attempts)


def _seconds(attempts: Iterable[Attempt]) -> float:
    now = time.time()
    # A clock that was set back, or a node's own, may tell that one ended before it began.
    return sum(max(0.0, (attempt.ended or now) - attempt.started) for attempt in attempts)


def cost_so_far(platform: Platform, job: Job) -> float | None:
    """What the job has cost on this machine; None without a price, or where it only ran elsewhere."""
    price = price_per_hour(platform)
    return None if price is None else _cost(job, price)


def _cost(job: Job, price: float) -> float | None:
    here = [attempt for attempt in job.attempts if attempt.executor == HERE]
    return None if job.attempts and not here else _seconds(here) / 3600 * price


def costs(platform: Platform, job: Job) -> tuple[float | None, float | None]:
    """What it has cost, and what it will have cost when it ends as foreseen, where that is known."""
    price = price_per_hour(platform)
    # Without a price no attempt is read: this is asked with every step that a page shows.
    so_far = None if price is None else _cost(job, price)
    if so_far is None or price is None:
        return None, None
    here = bool(job.attempts) and job.attempts[-1].executor == HERE
    if not here or job.finish_at is None or not job.status.is_active:
        return so_far, None
    return so_far, so_far + max(0.0, job.finish_at - time.time()) / 3600 * price
