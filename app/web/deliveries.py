"""The Delivery card of a job: what is safe where, and the button that sends it."""

from __future__ import annotations

import time
import zlib
from typing import Any

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app import delivery
from app.delivery.choosing import choose
from app.delivery.targets import known
from app.jobs import service
from app.models import Job
from app.web import htmx

bp = Blueprint("deliveries", __name__)

_SETTLE_SECONDS = 15.0
"""A job that is over goes to its automatic targets at the next tick; the card waits for that."""


@bp.get("/jobs/<int:job_id>/delivery")
def card(job_id: int) -> ResponseReturnValue:
    shown = context(service.get(job_id))
    return htmx.fragment("job_delivery", version=shown["delivery_version"], **shown)


@bp.post("/jobs/<int:job_id>/deliver")
def deliver(job_id: int) -> ResponseReturnValue:
    chosen = known(request.form.getlist("what"))
    delivery.start(service.get(job_id), request.form.get("target", ""), chosen)
    return redirect(url_for("jobs.show", job_id=job_id, _anchor="job-delivery"), 303)


def context(job: Job) -> dict[str, Any]:
    """What the card shows."""
    places = [_place(job, target) for target in delivery.targets()]
    listed = [(row, delivery.state_of(row)) for row in delivery.rows(job.id)]
    busy = any(place["task"] and not place["task"].is_final for place in places)
    settling = bool(job.finished) and time.time() - (job.finished or 0) < _SETTLE_SECONDS
    told = [(row.id, state, row.error) for row, state in listed]
    told += [(p["task"].id, p["task"].version, "") for p in places if p["task"]]
    return {
        "job": job,
        "places": places,
        "copies": listed,
        "names": {target.id: target.name for target in delivery.targets()},
        "what_names": delivery.WHAT,
        "is_safe": delivery.is_backed_up(job),
        "has_files": bool(choose(job, tuple(delivery.WHAT))),
        "delivery_polls": busy or not job.status.is_final or settling,
        "delivery_version": f"{zlib.crc32(repr(told).encode()):08x}.{job.state}.{busy}",
    }


def _place(job: Job, target: delivery.Target) -> dict[str, Any]:
    states = [delivery.state_of(row) for row in delivery.rows(job.id, target.id)]
    return {
        "target": target,
        "address": target.place_of(job),
        "task": delivery.task_of(job, target.id),
        "verified": states.count("verified"),
        "total": len(states),
        "changed": states.count("changed"),
    }
