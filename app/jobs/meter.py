"""What this start of the machine has cost so far: in all, for each job, and for nothing.

About: bandwidth is billed apart, and a GPU is not billed while its machine loads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app import preferences
from app.db import db
from app.jobs import pricing
from app.models import Attempt, Job
from app.platform import Platform
from app.vast import MeterPreferences, session

_MOST_JOBS = 30
Span = tuple[float, float]


@dataclass(frozen=True)
class JobCost:
    """One job in this session; ``seconds`` are of the share of the machine that it held."""

    job: Job
    seconds: float
    cost: float | None


@dataclass(frozen=True)
class Spent:
    """Seconds, and US dollars. ``cost`` is None without a price."""

    since: float
    seconds: float
    price: float | None
    cost: float | None


@dataclass(frozen=True)
class Meter(Spent):
    """What was spent, split into jobs and idleness."""

    idle_seconds: float
    idle_cost: float | None
    jobs: tuple[JobCost, ...]


def read(platform: Platform, now: float | None = None) -> Meter:
    """The meter as it stands. Needs an application context."""
    now = time.time() if now is None else now
    whole = spent(platform, preferences.load(MeterPreferences), now)
    since = whole.since
    # Where the price changed, what a job or idleness cost is by the mean of this start.
    price = None if whole.cost is None else whole.cost / max(1.0, whole.seconds) * 3600
    gpus = max(1, len(platform.gpus.report().gpus))
    rows = _attempts(since)
    held: dict[int, float] = {}
    for attempt in rows:
        begin, end = max(since, attempt.started), attempt.ended or now
        taken = len([g for g in attempt.gpus.split(",") if g]) or gpus
        share = min(1.0, taken / gpus)
        held[attempt.job_id] = held.get(attempt.job_id, 0.0) + max(0.0, end - begin) * share
    busy = union([(max(since, a.started), a.ended or now) for a in rows])
    idle = max(0.0, now - since - busy)
    jobs = (JobCost(job, held[job.id], money(held[job.id], price)) for job in _jobs(list(held)))
    return Meter(
        since, whole.seconds, whole.price, whole.cost, idle, money(idle, price), tuple(jobs)
    )


def spent(platform: Platform, rules: MeterPreferences, now: float | None = None) -> Spent:
    """What this start of the machine has cost in all; asks the database for nothing."""
    now = time.time() if now is None else now
    since = min(session.started(), now)
    price = pricing.price_by(platform, rules)
    return Spent(since, now - since, price, pricing.cost_between(platform, rules, since, now))


def money(seconds: float, price: float | None) -> float | None:
    """What so many seconds cost."""
    return None if price is None else seconds / 3600 * price


def union(spans: Sequence[Span]) -> float:
    """Seconds covered by at least one span."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _attempts(since: float) -> Sequence[Attempt]:
    # An attempt without an end that is not its job's newest lost its record; it runs no more.
    live = (Attempt.ended.is_(None)) & (Attempt.number == Job.attempt)
    # What runs on a cluster holds nothing of this machine.
    wanted = (
        select(Attempt).join(Job, Job.id == Attempt.job_id).where(Attempt.executor == pricing.HERE)
    )
    return db.session.scalars(wanted.where(live | (Attempt.ended > since))).all()


def _jobs(numbers: list[int]) -> Sequence[Job]:
    wanted = select(Job).where(Job.id.in_(numbers)).order_by(Job.id.desc()).limit(_MOST_JOBS)
    return db.session.scalars(wanted).all()
