"""The LoRA files of a job: the list, what is in one, pinning, deleting, and comparing two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import artifacts, delivery, tasks
from app.artifacts import Artifact, lora_facts, norms, sums
from app.errors import UserError
from app.jobs import gallery, report, retention, service, store
from app.models import Job, Task
from app.platform import current

bp = Blueprint("checkpoints", __name__)


@dataclass(frozen=True)
class Line:
    """One LoRA file as listed. ``facts`` are None for a file that is not whole."""

    lora: Artifact
    step: int | None
    facts: lora_facts.LoraFacts | None
    pinned: str
    """The path of its pinned copy, itself where that is all there is; empty without one."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Its metadata, long entries cut."""


def view(job: Job, found: artifacts.Outputs | None = None) -> dict[str, Any]:
    """What ``fragments/job_outputs.html`` needs."""
    found = found or gallery.outputs_of(job)
    # Before the rest is read: what changes between the two is then drawn by the next poll.
    seen = version(job, found)
    attempt = store.attempt_of(job)
    per_epoch = attempt.steps_per_epoch if attempt else None
    pinned = {kept.path.name: kept.file.path for kept in found.kept}
    written = {lora.path.name for lora in found.loras}
    everything = [*found.loras, *(kept for kept in found.kept if kept.path.name not in written)]
    lines = [_line(lora, per_epoch, pinned.get(lora.path.name, "")) for lora in everything]
    lines.sort(
        key=lambda line: (line.lora.file.final, line.step or 0, line.lora.mtime), reverse=True
    )
    writing = _writing(job)
    return {
        "job": job,
        "outputs": found,
        "loras": lines,
        "outlook": retention.outlook(job, found, per_epoch),
        "safe": delivery.backed_up(job),
        "report": report.path_of(job),
        "report_task": writing if writing and writing.state != "done" else None,
        "outputs_version": seen,
        "outputs_poll": not job.status.is_final or _is_written(writing) or delivery.under_way(job),
    }


def version(job: Job, found: artifacts.Outputs | None = None) -> str:
    """Changes with everything that the list of LoRA files shows; looks into no file."""
    writing = _writing(job)
    parts = (
        (found or gallery.outputs_of(job)).version,
        job.status.is_final,
        report.version(job),
        writing and writing.version,
        delivery.verified(job.id),
        job.status.is_final and delivery.under_way(job),
    )
    return ".".join(map(str, parts))


def _is_written(writing: Task | None) -> bool:
    return writing is not None and not writing.is_final


def _writing(job: Job) -> Task | None:
    """The newest work on the report."""
    return tasks.latest(report.subject(job), "job.report")


def _line(lora: Artifact, per_epoch: int | None, pinned: str) -> Line:
    """Facts are left out while it is being written, or torn."""
    step = gallery.step_of(lora, per_epoch)
    try:
        facts, told = lora_facts.glance(lora.path, lora.size, lora.mtime)
    except (artifacts.TornSafetensorsError, OSError):
        return Line(lora, step, None, pinned)
    return Line(lora, step, facts, pinned, told)


@bp.get("/jobs/<int:job_id>/artifacts/<path:relative>")
def show(job_id: int, relative: str) -> ResponseReturnValue:
    job = service.get(job_id)
    lora = retention.one_of(job, relative)
    context = view(job)
    line = next(
        (x for x in context["loras"] if x.lora.path.name == lora.path.name),
        _line(lora, None, ""),
    )
    header = artifacts.read_header(lora.path) if line.facts else None
    hashing = tasks.latest(_subject(job, relative), "artifact.sum")
    return render_template(
        "pages/artifact.html",
        **context,
        line=line,
        lora=lora,
        blocks=lora_facts.blocks(header) if header else (),
        tensors=header.tensors if header else {},
        groups=_groups(header.metadata) if header else [],
        sum=sums.cached(current().settings.cache_dir, lora.path),
        task=hashing if hashing and hashing.state != "done" else None,
    )


def _groups(told: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Metadata in the groups that people know: the run's, sd-scripts', and the rest."""
    named: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(told):
        group = next(
            (
                g
                for start, g in (("ss_", "sd-scripts (ss_*)"), ("modelspec.", "ModelSpec"))
                if key.startswith(start)
            ),
            "The trainer's own",
        )
        named.setdefault(group, []).append((key, told[key]))
    return sorted(named.items())


def _subject(job: Job, relative: str) -> str:
    return f"artifact:{job.id}:{relative}"


@bp.post("/jobs/<int:job_id>/artifact/sum")
def hash_it(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    lora = retention.one_of(job, request.form.get("path", ""))
    relative = lora.file.path
    running = tasks.latest(_subject(job, relative), "artifact.sum")
    if not running or running.is_final:
        tasks.start("artifact.sum", _subject(job, relative), {"path": str(lora.path)})
    return redirect(url_for(".show", job_id=job_id, relative=relative), 303)


@bp.post("/jobs/<int:job_id>/artifact/pin")
def pin(job_id: int) -> ResponseReturnValue:
    retention.pin(service.get(job_id), request.form.get("path", ""))
    return _back(job_id)


@bp.post("/jobs/<int:job_id>/artifact/unpin")
def unpin(job_id: int) -> ResponseReturnValue:
    retention.unpin(service.get(job_id), request.form.get("path", ""))
    return _back(job_id)


@bp.get("/jobs/<int:job_id>/artifact/delete")
def confirm_delete(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    lora = retention.one_of(job, request.args.get("path", ""))
    return render_template("pages/artifact_delete.html", job=job, lora=lora)


@bp.post("/jobs/<int:job_id>/artifact/delete")
def delete(job_id: int) -> ResponseReturnValue:
    retention.delete(service.get(job_id), request.form.get("path", ""))
    return _back(job_id)


@bp.get("/jobs/<int:job_id>/norms")
def compare(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    context = view(job)
    paths = [line.lora.file.path for line in context["loras"] if line.facts]
    second = request.args.get("b") or (paths[0] if paths else "")
    first = request.args.get("a") or (paths[-1] if paths else "")
    changes = None
    if first and second:
        pair = retention.one_of(job, first).path, retention.one_of(job, second).path
        changes = norms.cached(current().settings.cache_dir, *pair)
    work = tasks.latest(_pair(job, first, second), "artifact.norms")
    return render_template(
        "pages/norms.html",
        **context,
        first=first,
        second=second,
        changes=changes,
        largest=sorted(changes or (), key=lambda c: c.moved, reverse=True)[:12],
        blocks=norms.by_block(changes) if changes else (),
        total=norms.total(changes) if changes else None,
        task=work if work and work.state != "done" else None,
    )


@bp.post("/jobs/<int:job_id>/norms")
def measure(job_id: int) -> ResponseReturnValue:
    job = service.get(job_id)
    first, second = request.form.get("a", ""), request.form.get("b", "")
    if first == second:
        raise UserError("Choose two different files to compare.")
    pair = [str(retention.one_of(job, path).path) for path in (first, second)]
    running = tasks.latest(_pair(job, first, second), "artifact.norms")
    if not running or running.is_final:
        subject = _pair(job, first, second)
        tasks.start("artifact.norms", subject, {"first": pair[0], "second": pair[1]})
    return redirect(url_for(".compare", job_id=job_id, a=first, b=second), 303)


def _pair(job: Job, first: str, second: str) -> str:
    return f"norms:{job.id}:{first}:{second}"


@bp.post("/jobs/<int:job_id>/report")
def write_report(job_id: int) -> ResponseReturnValue:
    report.start(service.get(job_id))
    return _back(job_id)


def _back(job_id: int) -> ResponseReturnValue:
    return redirect(url_for("jobs.show", job_id=job_id, _anchor="job-outputs"), 303)
