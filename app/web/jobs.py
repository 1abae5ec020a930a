"""The jobs table and the page of one job, with the fragments that keep them fresh."""

from __future__ import annotations

import zlib
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import artifacts, delivery, yaml_text
from app.jobs import (
    diagnosis,
    elsewhere,
    exporting,
    gallery,
    guards,
    listing,
    logtail,
    service,
    store,
)
from app.jobs.launching import read_plan_files
from app.jobs.states import JobState
from app.models import Attempt, Job
from app.platform import current
from app.web import (
    checkpoints,
    curves,
    deliveries,
    first_steps,
    htmx,
    kept_rows,
    logs,
    machine,
    news,
    samples,
)
from engines.adapter import ENGINES

bp = Blueprint("jobs", __name__)

PAGE_SIZE = 50
FIRST_LOG_BYTES = 64 * 1024
_REGIONS = ("outputs", "samples", "papers", "delivery")


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
    search = request.args.get("q", "").strip()
    before = request.args.get("before", type=int)
    known = state if state in list(JobState) else None
    platform = current()
    # Before the rows: what changes between the two is then drawn by the next poll.
    queue, free = listing.queue(), guards.free_gb(platform)
    found = listing.lines(state=known, search=search, limit=PAGE_SIZE + 1, before=before)
    lines = found[:PAGE_SIZE]
    rows = kept_rows.rows_of(lines, delivery.jobs_with_copy([line.id for line in lines]))
    return {
        "rows": rows,
        "counts": queue.counts,
        "older": lines[-1].id if len(found) > PAGE_SIZE else None,
        "busy": next((r.job for r in rows if r.job and r.job.state == "running"), None),
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
    context = {
        **checkpoints.view(job),
        **samples.grid(job),
        **_status(job),
        **_papers(job),
        **curves.context(job),
        **machine.context(job),
        **deliveries.context(job),
    }
    drawn = {name: context[f"{name}_version"] for name in _REGIONS}
    return render_template(
        "pages/job.html", **context, news=news.token(drawn), number=number, chunk=chunk
    )


def _regions(job: Job) -> dict[str, str]:
    """The versions of the regions that wait for the status to tell of them, as they are now."""
    found = gallery.outputs_of(job)
    versions = (
        checkpoints.version(job, found),
        samples.version(job, gallery.version_of(found)),
        _papers_version(job),
        deliveries.glance(job).version,
    )
    return dict(zip(_REGIONS, versions, strict=True))


def _papers(job: Job) -> dict[str, Any]:
    version = _papers_version(job)
    return {
        "job": job,
        "spec": yaml_text.dump(service.clone(job)),
        "files": read_plan_files(service.run_dir(job)),
        "notes": service.plan_summary(job),
        "papers_version": version,
    }


def _papers_version(job: Job) -> str:
    return f"{job.state}.{store.newest_event_of(job)}"


def _status(job: Job) -> dict[str, Any]:
    # Before the rest is read: what changes between the two is then drawn by the next poll.
    version = _status_version(job)
    attempt = store.attempt_of(job)
    return {
        "job": job,
        "attempt": attempt,
        "cluster": _cluster_notice(job),
        "version": version,
        "lost": _lost_steps(job, attempt),
        "can_save": not service.why_no_order(job),
        "why_no_order": service.why_no_order(job),
        "others": exporting.others(job.family, _engine(job)),
        "remedy": diagnosis.REMEDIES.get(job.cause) if job.state == "failed" else None,
    }


def _status_version(job: Job) -> str:
    """Changes with everything that the status shows; where there is no cluster it asks nothing."""
    notice = _cluster_notice(job)
    return f"{job.version}.{zlib.crc32(notice.encode())}" if notice else str(job.version)


def _cluster_notice(job: Job) -> str:
    """What people have to know of the cluster that this job is on."""
    words = elsewhere.notice(current()) if job.status.is_active else ""
    attempt = store.attempt_of(job) if words else None
    return words if attempt is not None and attempt.executor == "slurm" else ""


def _lost_steps(job: Job, attempt: Attempt | None) -> int | None:
    """Steps since the newest save: what a stop now would lose."""
    if not job.status.is_active:
        return None
    found = artifacts.find(service.run_dir(job).output, ENGINES[_engine(job)], job.name)
    saved = [
        lora.file.step
        if lora.file.step is not None
        else (lora.file.epoch or 0) * ((attempt and attempt.steps_per_epoch) or 0)
        for lora in found.loras
        if not lora.file.final
    ]
    return max(0, job.step - max(saved, default=attempt.start_step if attempt else 0))


def _engine(job: Job) -> Any:
    return job.engine


@bp.get("/jobs/<int:job_id>/status")
def status(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    regions = _regions(job)
    told = news.events(request.args.get("news", ""), regions)
    if htmx.shows(_status_version(job)) and not told:
        return "", 204
    page = render_template("fragments/job_status.html", **_status(job), news=news.token(regions))
    return page, {"HX-Trigger": told} if told else {}


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
    if htmx.shows(_papers_version(job)):
        return "", 204
    context = _papers(job)
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
    return render_template("pages/job_stop.html", **_status(service.get(job_id)))


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
    steps = request.form.get("steps", "")
    service.extend(service.get(job_id), int(steps) if steps.strip().isdigit() else 0)
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/order")
def order(job_id: int) -> ResponseReturnValue:
    what = request.form.get("what", "")
    service.order(service.get(job_id), "sample-now" if what == "sample-now" else "save-now")
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/priority")
def priority(job_id: int) -> ResponseReturnValue:
    text = request.form.get("priority", "").strip()
    service.set_priority(service.get(job_id), int(text) if text.lstrip("-").isdigit() else 0)
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
