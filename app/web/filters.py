"""How numbers, times and states are written on pages."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from app.jobs import curves, pricing
from app.models import Job, Task
from app.numbers import number
from app.platform import current
from app.tasks import KINDS
from app.web import loglines
from engines.base import Phase


def install(app: Flask) -> None:
    """Register the filters."""
    for function in (
        bound, query, size, gpu_memory, duration, minutes, clock, utc, number, loss, ago, time_left, percent,
        cost, used, pace, tab, running_tab, series_title, reading, task_title, task_look, task_rate,
    ):  # fmt: skip
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.filters.update(log_line=loglines.line, log_block=loglines.block)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def bound(value: float) -> str:
    """A limit of a field: whole numbers with thin spaces, others as they are."""
    return number(int(value)) if value == int(value) else f"{value:g}"


def query(words: Mapping[str, Any]) -> str:
    """Names and values as the query of an address."""
    return urlencode({name: value for name, value in words.items() if value != ""})


def size(count: float | None) -> str:
    """Bytes with a decimal unit, which no line's end parts: 3300000 is 3.3 MB."""
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return (
                f"{value:.0f}\u00a0{unit}"
                if unit == "B" or value >= 100
                else f"{value:.1f}\u00a0{unit}"
            )
        value /= 1000
    return f"{value:.1f}\u00a0TB"


def gpu_memory(count: float | None) -> str:
    """Bytes as the makers of cards count them, 2**30 to a GB: a card of 24 GB is called so."""
    if count is None:
        return "–"
    value = f"{count / 2**30:.1f}".removesuffix(".0")
    return f"{value}\u00a0GB"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 95 is 1 min 35 s."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def minutes(low: float, high: float) -> str:
    """A time that is known roughly, in whole minutes: 44 to 52 min."""
    if high < 60:
        return "less than 1 min"
    unit, name = (60, "min") if high < 5400 else (3600, "h")
    digits = 0 if unit == 60 else 1
    ends = [f"{value / unit:.{digits}f}" for value in (low, high)]
    text = ends[1] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    return f"{text} {name}".replace(" ", "\u00a0")


def clock(when: datetime | float | None) -> str:
    """A time, or seconds since 1970, as ISO 8601 in UTC, for <time datetime>."""
    if when is None:
        return ""
    known = when if isinstance(when, datetime) else datetime.fromtimestamp(when, UTC)
    return known.astimezone(UTC).isoformat(timespec="seconds")


_TOLD = {"clock": (11, 16), "day": (0, 10), "minute": (0, 16), "full": (0, 19)}


def utc(when: datetime | float, told: str) -> str:
    """A time in UTC, in whole or a part of it; app.js shows it in the reader's own zone."""
    first, last = _TOLD[told]
    text = clock(when).replace("T", " ")[first:last]
    return text if told == "day" else f"{text} UTC"


_SERIES = {
    curves.LOSS: "Loss", curves.RATE: "Learning rate", curves.SECONDS: "Seconds per step",
    curves.MEMORY: "GPU memory",
}  # fmt: skip


def series_title(name: str) -> str:
    """A curve as people call it; what an engine named keeps its name."""
    return _SERIES.get(name, name)


def reading(value: float, name: str) -> str:
    """A value of a curve."""
    return gpu_memory(value) if name == curves.MEMORY else f"{value:.4g}"


def ago(seconds: float | None) -> str:
    """How long ago, in words; nobody needs its seconds after a minute."""
    if seconds is None:
        return "–"
    spent = max(0, round(time.time() - seconds))
    hours = spent // 3600
    if spent < 60:
        text = f"{spent} s ago"
    elif spent < 3600:
        text = f"{spent // 60} min ago"
    else:
        text = f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"
    return text.replace(" ", "\u00a0")  # no line's end parts it


def loss(value: float | None) -> str:
    """A loss with four digits; NaN in words."""
    if value is None:
        return "–"
    return f"{value:.4f}" if math.isfinite(value) else "not a number"


def percent(job: Job) -> int:
    """How much of the job is done, 0 to 100."""
    if not job.total_steps:
        return 0
    return min(100, int(100 * job.step / job.total_steps))


def tab(job: Job) -> str:
    """How the browser's tab names the job's page: how far it is stands first."""
    if job.status.is_active:
        return f"{percent(job)} % · {job.name}"
    return f"{'held' if job.held and job.state == 'queued' else job.state} · {job.name}"


def running_tab(counts: Mapping[str, int]) -> str:
    """How the browser's tab names the list of jobs."""
    running = counts.get("running", 0)
    return f"{running} running · Jobs" if running else "Jobs"


_PAUSES = (Phase.SAMPLING, Phase.SAVING)


def time_left(job: Job) -> str:
    """Until the last step, pauses included; a dash while nothing is known.

    How long a pause takes is known when it is over: amid one, seconds would be a guess, and 0 s a lie.
    """
    if not job.status.is_active or job.finish_at is None:
        return "–"
    left = job.finish_at - time.time()
    least = 60.0 if job.phase in _PAUSES else 0.5
    return duration(left) if left >= least else "–"


def pace(seconds: float | None) -> str:
    """Seconds a step or steps a second, whichever is above one."""
    if not seconds:
        return "–"
    return f"{seconds:.2f} s/step" if seconds >= 1 else f"{1 / seconds:.1f} steps/s"


def cost(job: Job) -> tuple[str, str]:
    """What a job has cost, and what it will have at its end, each empty where that is not known."""
    found = pricing.costs(current(), job) if job.attempt else (None, None)
    spent, whole = ("" if money is None else pricing.dollars(money) for money in found)
    return spent, whole


def used(job: Job) -> float:
    """Seconds that its attempts ran, without the time between them."""
    return pricing.seconds_used(job)


def task_title(kind: str) -> str:
    """What a kind of background work is called."""
    return KINDS[kind].title if kind in KINDS else kind


_LOOKS = {"waiting": "queued", "done": "succeeded"}


def task_look(task: Task) -> str:
    """The state whose icon and colour a piece of background work takes."""
    return _LOOKS.get(task.state, task.state)


def task_rate(task: Task) -> str:
    """Speed and time left of running work since it was started; empty while nothing can be said."""
    if "/s" in task.message:
        return ""  # it measures its own speed: an earlier try brought a part of it
    spent = time.time() - (task.started or time.time())
    if spent < 2 or not task.done or not task.total:
        return ""
    rate = task.done / spent
    left = duration((task.total - task.done) / rate)
    return f"{size(rate)}/s · {left} left" if task.unit == "bytes" else f"{left} left"
