"""What the page of one job shows in its status and its papers, and the versions of its regions."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from app import yaml_text
from app.artifacts import Outputs
from app.jobs import diagnosis, elsewhere, exporting, gallery, service, store, turn
from app.jobs.launching import read_plan_files
from app.models import Attempt, Job
from app.platform import current
from app.web import checkpoints, deliveries, samples

_REGIONS = ("outputs", "samples", "papers", "delivery")
"""Those that wait for the status to tell that they have news."""


def drawn(context: Mapping[str, Any]) -> dict[str, str]:
    """The versions of the regions as a page with this context shows them."""
    return {name: context[f"{name}_version"] for name in _REGIONS}


def regions(job: Job, found: Outputs) -> dict[str, str]:
    """The versions of the regions as they are now."""
    versions = (
        checkpoints.version(job, found),
        samples.version(job, gallery.version_of(found)),
        papers_version(job),
        deliveries.glance(job).version,
    )
    return dict(zip(_REGIONS, versions, strict=True))


def papers(job: Job) -> dict[str, Any]:
    """What was asked, what the engine got, what happened."""
    version = papers_version(job)
    return {
        "job": job,
        "spec": yaml_text.dump(service.clone(job)),
        "files": read_plan_files(service.run_dir(job)),
        "notes": service.plan_summary(job),
        "papers_version": version,
    }


def papers_version(job: Job) -> str:
    """Changes with everything that the papers show."""
    return f"{job.state}.{store.newest_event_of(job)}"


def status(job: Job, found: Outputs | None = None) -> dict[str, Any]:
    """What ``fragments/job_status.html`` needs, but for the news."""
    # Before the rest is read: what changes between the two is then drawn by the next poll.
    version = status_version(job)
    attempt = store.attempt_of(job)
    why_no_order = service.why_no_order(job)
    return {
        "job": job,
        "attempt": attempt,
        "cluster": _cluster_notice(job),
        "waits": turn.why_waiting(current(), job),
        "version": version,
        "lost": _lost_steps(job, attempt, found),
        "made": _made(job, found),
        "can_save": not why_no_order,
        "why_no_order": why_no_order,
        "others": exporting.others(job.family, job.engine),
        "remedy": diagnosis.REMEDIES.get(job.cause) if job.state == "failed" else None,
    }


def status_version(job: Job) -> str:
    """Changes with everything that the status shows; while a job runs here it asks nothing."""
    notice = _cluster_notice(job) + turn.why_waiting(current(), job)
    return f"{job.version}.{zlib.crc32(notice.encode())}" if notice else str(job.version)


def _cluster_notice(job: Job) -> str:
    """What people have to know of the cluster that this job is on."""
    words = elsewhere.notice(current()) if job.status.is_active else ""
    attempt = store.attempt_of(job) if words else None
    return words if attempt is not None and attempt.executor == "slurm" else ""


def _made(job: Job, found: Outputs | None) -> str:
    """The finished LoRA below the output folder; empty where there is none, or several."""
    if job.state != "succeeded":
        return ""
    finished = [lora for lora in (found or gallery.outputs_of(job)).loras if lora.file.final]
    return finished[0].file.path if len(finished) == 1 else ""


def _lost_steps(job: Job, attempt: Attempt | None, found: Outputs | None) -> int | None:
    """Steps since the newest save: what a stop now would lose."""
    if not job.status.is_active:
        return None
    saved = [
        lora.file.step
        if lora.file.step is not None
        else (lora.file.epoch or 0) * ((attempt and attempt.steps_per_epoch) or 0)
        for lora in (found or gallery.outputs_of(job)).loras
        if not lora.file.final
    ]
    return max(0, job.step - max(saved, default=attempt.start_step if attempt else 0))
