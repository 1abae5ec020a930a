"""The jobs table and the page of one job, with the fragments that keep them fresh."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import delivery
from app.errors import UserError
from app.jobs import elsewhere, gallery, guards, listing, logtail, service
from app.jobs.states import JobState
from app.numbers import whole
from app.platform import current
from app.web import (
    checkpoints,
    curves,
    deliveries,
    first_steps,
    htmx,
    job_view,
    kept_rows,
    logs,
    machine,
    news,
    samples,
)

bp = Blueprint("jobs", __name__)

PAGE_SIZE = 50
FIRST_LOG_BYTES = 64 * 1024


@bp.get("/")
def index() -> ResponseReturnValue:
    table = _table()
    plain = not (table["search"] or table["state"] or table["before"])
    steps = first_steps.steps() if plain and not table["counts"].get("succeeded") else None
    return render_template(
        "pages/jobs.html", **table, steps=steps, steps_version=steps.version if steps else ""
    )


@bp.get("/jobs/table")
def table() -> ResponseReturnValue:
    if htmx.shows(_version(listing.queue(), guards.free_gb(current()))):
        return "", 204
    return htmx.fragment("jobs_table", **_table())


def _table() -> dict[str, Any]:
    state = request.args.get("state", "")
    search = request.args.get("q", "").strip()[:200]
    before = request.args.get("before", type=int)
    known = state if state in list(JobState) else None
    platform = current()
    # Before the rows: what changes between the two is then drawn by the next poll.
    queue, free = listing.queue(), guards.free_gb(platform)
    found = listing.lines(state=known, search=search, limit=PAGE_SIZE + 1, before=before)
    lines = found[:PAGE_SIZE]
    parts = kept_rows.parts_of(lines, delivery.jobs_with_copy([line.id for line in lines]))
    return {
        "parts": parts,
        "shown": len(lines),
        "counts": queue.counts,
        "older": lines[-1].id if len(found) > PAGE_SIZE else None,
        "busy": next((p.job for p in parts if p.job and p.job.state == "running"), None),
        "state": known or "",
        "search": search,
        "before": before,
        "paused": queue.paused,
        "held": queue.held,
        "cluster": queue.cluster if elsewhere.uses_slurm(platform) else "",
        "on_slurm": platform.settings.executor == "slurm",
        "places": elsewhere.places([line.id for line in lines if line.is_active]),
        "gpus": platform.gpus.report().gpus,
        "free_gb": free,
        "no_engine": not any(engine.installed for engine in service.engines()),
        "version": _version(queue, free),
    }


def _version(queue: listing.Queue, free: float) -> str:
    return f"{queue.version}.{free:.0f}"


@bp.get("/jobs/<int:job_id>")
def show(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    number = logs.attempt_of(job)
    log = service.run_dir(job).attempt(number).log
    chunk = logtail.read(log, 0, FIRST_LOG_BYTES) if number else None
    found = gallery.outputs_of(job)
    context = {
        **checkpoints.view(job, found),
        **samples.grid(job, found),
        **job_view.status(job, found),
        **job_view.papers(job),
        **curves.context(job),
        **machine.context(job),
        **deliveries.context(job),
    }
    told = news.token(job_view.drawn(context))
    return render_template("pages/job.html", **context, news=told, number=number, chunk=chunk)


@bp.get("/jobs/<int:job_id>/status")
def status(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    found = gallery.outputs_of(job)
    regions = job_view.regions(job, found)
    told = news.events(request.args.get("news", ""), regions)
    if htmx.shows(job_view.status_version(job)) and not told:
        return "", 204
    context = {**job_view.status(job, found), "news": news.token(regions)}
    return render_template("fragments/job_status.html", **context), (
        {"HX-Trigger": told} if told else {}
    )


@bp.get("/jobs/<int:job_id>/outputs")
def outputs(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    if htmx.shows(checkpoints.version(job)):
        return "", 204
    context = checkpoints.view(job)
    return htmx.fragment("job_outputs", **context, version=context["outputs_version"])


@bp.get("/jobs/<int:job_id>/papers")
def papers(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    if htmx.shows(job_view.papers_version(job)):
        return "", 204
    context = job_view.papers(job)
    return htmx.fragment("job_papers", **context, version=context["papers_version"])


@bp.get("/jobs/<int:job_id>/log")
def log(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    number = logs.attempt_of(job)
    after = request.args.get("after", 0, type=int)
    if request.args.get("live") and request.args.get("attempt", type=int) != job.attempt:
        # A new attempt began: its log is another one, so the page is drawn again.
        return "", 200, {"HX-Refresh": "true"}
    if not job.attempt:
        return "", 204
    chunk = logtail.read(service.run_dir(job).attempt(number).log, after)
    same = chunk.end == after and chunk.live[-200:] == request.args.get("shown", "")
    if same and not job.status.is_final:
        return "", 204
    return render_template("fragments/job_log.html", job=job, number=number, chunk=chunk)


@bp.get("/jobs/<int:job_id>/stop")
def confirm_stop(job_id: int) -> ResponseReturnValue:
    return render_template("pages/job_stop.html", **job_view.status(service.get(job_id)))


@bp.post("/jobs/<int:job_id>/stop")
def stop(job_id: int) -> ResponseReturnValue:
    service.stop(service.get(job_id), save=request.form.get("save") == "1")
    return _back(job_id)


@bp.get("/jobs/<int:job_id>/delete")
def confirm_delete(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    return render_template("pages/job_delete.html", **checkpoints.view(job))


@bp.post("/jobs/<int:job_id>/delete")
def delete(job_id: int) -> ResponseReturnValue:
    service.delete(service.get(job_id))
    return redirect(url_for(".index"), 303)


@bp.post("/jobs/<int:job_id>/retry")
def retry(job_id: int) -> ResponseReturnValue:
    service.retry(service.get(job_id), resume=request.form.get("fresh") != "1")
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/extend")
def extend(job_id: int) -> ResponseReturnValue:
    service.extend(service.get(job_id), whole(request.form.get("steps", "")) or 0)
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/order")
def order(job_id: int) -> ResponseReturnValue:
    what = request.form.get("what", "")
    service.order(service.get(job_id), "sample-now" if what == "sample-now" else "save-now")
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/priority")
def priority(job_id: int) -> ResponseReturnValue:
    most = service.HIGHEST_PRIORITY
    given = whole(request.form.get("priority", ""))
    if given is None or abs(given) > most:
        raise UserError(f"Give a whole number from {-most} to {most}; higher starts earlier.")
    service.set_priority(service.get(job_id), given)
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/next")
def run_next(job_id: int) -> ResponseReturnValue:
    service.run_next(service.get(job_id))
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/release")
def release(job_id: int) -> ResponseReturnValue:
    service.release(service.get(job_id))
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/hold")
def hold(job_id: int) -> ResponseReturnValue:
    service.hold(service.get(job_id))
    return _back(job_id)


@bp.post("/queue/pause")
def pause() -> ResponseReturnValue:
    service.pause_queue()
    return redirect(url_for(".index"), 303)


@bp.post("/queue/resume")
def resume() -> ResponseReturnValue:
    service.resume_queue()
    return redirect(url_for(".index"), 303)


def _back(job_id: int) -> ResponseReturnValue:
    return redirect(url_for(".show", job_id=job_id), 303)
