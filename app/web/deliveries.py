"""The Copies card of a job: what is safe where, and the button that sends it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app import delivery
from app.delivery.choosing import What, choose
from app.delivery.store import State
from app.delivery.targets import known
from app.jobs import gallery, service
from app.models import Delivery, Job, Task
from app.web import htmx

bp = Blueprint("deliveries", __name__)


@bp.get("/jobs/<int:job_id>/delivery")
def card(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    known_now = glance(job)
    if htmx.shows(known_now.version):
        return "", 204
    shown = context(job, known_now)
    return htmx.fragment("job_delivery", version=known_now.version, **shown)


@bp.post("/jobs/<int:job_id>/deliver")
def deliver(job_id: int) -> ResponseReturnValue:
    chosen = known(request.form.getlist("what"))
    delivery.order(service.get(job_id), request.form.get("target", ""), chosen)
    return redirect(url_for("jobs.show", job_id=job_id, _anchor="job-delivery"), 303)


class Glance(NamedTuple):
    """What a poll looks at: cheap where nothing is set up and nothing was sent."""

    targets: tuple[delivery.Target, ...]
    tasks: dict[str, Task | None]
    copies: Sequence[tuple[Delivery, State]]
    has_files: bool
    polls: bool
    version: str


def glance(job: Job) -> Glance:
    """How the deliveries of a job stand."""
    targets = delivery.targets()
    tasks = {target.id: delivery.task_of(job, target.id) for target in targets}
    copies = [(row, delivery.state_of(row)) for row in delivery.rows(job.id)]
    polls = bool(targets) and (not job.status.is_final or delivery.under_way(job))
    has_files = bool(targets and job.attempt) and bool(choose(job, tuple(delivery.WHAT)))
    told: list[tuple[int, int | str, str]] = [(row.id, state, row.error) for row, state in copies]
    told += [(task.id, task.version, "") for task in tasks.values() if task]
    version = f"{zlib.crc32(repr(told).encode()):08x}.{job.state}.{has_files:d}.{polls:d}"
    return Glance(targets, tasks, copies, has_files, polls, version)


def context(job: Job, now: Glance | None = None) -> dict[str, Any]:
    """What the card shows."""
    now = now or glance(job)
    return {
        "job": job,
        "places": [_place(job, target, now) for target in now.targets],
        "copies": now.copies,
        "names": {target.id: target.name for target in now.targets},
        "what_names": _what_there_is(job) if now.has_files else {},
        "is_safe": bool(now.copies) and delivery.is_backed_up(job),
        "has_files": now.has_files,
        "delivery_polls": now.polls,
        "delivery_version": now.version,
    }


def _what_there_is(job: Job) -> dict[What, str]:
    """What can be ticked: all of it until the job is over, then what it left."""
    if not job.status.is_final:
        return delivery.WHAT
    found = gallery.outputs_of(job)
    lacking = {"lora", "checkpoints"} if not found.loras else set()
    lacking |= set() if found.samples else {"samples"}
    return {what: title for what, title in delivery.WHAT.items() if what not in lacking}


def _place(job: Job, target: delivery.Target, now: Glance) -> dict[str, Any]:
    states = [state for row, state in now.copies if row.target == target.id]
    return {
        "target": target,
        "address": target.place_of(job),
        "task": now.tasks[target.id],
        "verified": states.count("verified"),
        "total": len(states),
        "changed": states.count("changed"),
        "offline": target.why_not(),
    }
