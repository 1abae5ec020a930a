"""The log of an attempt beyond its tail: search, first error, and any stretch of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.jobs import logsearch, service
from app.models import Job

bp = Blueprint("logs", __name__)

LONGEST_QUERY = 200


def attempt_of(job: Job) -> int:
    """The attempt whose log is shown: the one asked for, else the newest; 0 if there is none."""
    wanted = request.args.get("attempt", type=int)
    return wanted if wanted and 1 <= wanted <= job.attempt else job.attempt


def _log(job: Job) -> tuple[int, Path]:
    number = attempt_of(job)
    return number, service.run_dir(job).attempt(number).log


def _results(job: Job) -> dict[str, Any]:
    """One piece of a search, from ``from`` on."""
    number, path = _log(job)
    query = request.args.get("q", "").strip()[:LONGEST_QUERY]
    kind = request.args.get("kind", "")
    start = max(0, request.args.get("from", 0, type=int))
    if kind == "error":
        found = logsearch.search(path, logsearch.ERROR, start, most=1)
    elif query:
        found = logsearch.search(path, logsearch.pattern_of(query), start)
    else:
        found = logsearch.Found((), None, 0)
    so_far = request.args.get("n", 0, type=int) + len(found.hits)
    # A search goes on by itself until it has something to show; then a person asks for more.
    goes_on = found.next is not None and not found.hits
    return {
        "job": job, "number": number, "query": query, "kind": kind, "found": found,
        "count": so_far, "goes_on": goes_on, "first": start == 0,
    }  # fmt: skip


def _part(job: Job) -> dict[str, Any]:
    number, path = _log(job)
    at, end = request.args.get("at", 0, type=int), request.args.get("before", type=int)
    if end is not None:
        part = logsearch.before(path, max(0, end))
    elif request.args.get("after") is not None:
        part = logsearch.stretch(path, max(0, request.args.get("after", 0, type=int)))
        part = replace(part, earlier=None)  # it is put below those
    elif "at" in request.args:
        part = logsearch.around(path, max(0, at))
    else:
        part = logsearch.stretch(path, 0)  # nobody asked for a line, so none is marked
    return {
        "job": job,
        "number": number,
        "part": part,
        "whole": end is None and "after" not in request.args,
    }


@bp.get("/jobs/<int:job_id>/log/search")
def search(job_id: int) -> ResponseReturnValue:
    return render_template("fragments/log_results.html", **_results(service.get(job_id)))


@bp.get("/jobs/<int:job_id>/log/part")
def part(job_id: int) -> ResponseReturnValue:
    return render_template("fragments/log_part.html", **_part(service.get(job_id)))


@bp.get("/jobs/<int:job_id>/log/read")
def read(job_id: int) -> ResponseReturnValue:
    """A page of its own, which works without a script."""
    job = service.get(job_id)
    return render_template("pages/log.html", **{**_results(job), **_part(job)})
