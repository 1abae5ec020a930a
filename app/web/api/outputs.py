"""What a run writes: log, readings, samples, LoRA files."""

from __future__ import annotations

from itertools import islice

from flask import url_for
from pydantic import Field

from app import artifacts, delivery
from app.artifacts import Artifact
from app.jobs import describing, logtail, service
from app.jobs.points import read_points
from app.models import Job
from app.web.api.attempts import AttemptQuery, log_of
from app.web.api.registry import Given, operation
from app.web.api.shapes import FileJson, Files, LogPiece, PointJson, Points
from engines.adapter import ENGINES

TAG = "Outputs"
_MOST = 2**63 - 1


class LogQuery(AttemptQuery):
    """Which part of which log."""

    offset: int = Field(
        0, ge=0, le=_MOST, description="Byte to go on at; ``end`` of the last answer."
    )
    limit: int = Field(65536, ge=4096, le=1 << 20, description="At most so many bytes.")
    skip: bool = Field(True, description="Go on at the tail when more than that is new.")


class PointsQuery(Given):
    """How many readings."""

    last: int = Field(1000, ge=1, le=100_000, description="The newest so many.")


class FilesQuery(Given):
    """Which files."""

    after: int = Field(0, ge=0, le=_MOST, description="Cursor: leave out so many.")
    limit: int = Field(200, ge=1, le=1000, description="At most so many.")


@operation("GET /jobs/<int:job_id>/log", tag=TAG, answer=LogPiece, query=LogQuery)
def log(job_id: int, query: LogQuery) -> LogPiece:
    """Read a log from an offset; costs the new bytes alone, however long it is."""
    job = service.get(job_id)
    number, path = log_of(job, query)
    chunk = logtail.read(path, query.offset, query.limit, skip=query.skip)
    return LogPiece(
        attempt=number,
        lines=list(chunk.lines),
        live=chunk.live,
        start=chunk.start,
        end=chunk.end,
        skipped=chunk.skipped,
        size=chunk.size,
        over=job.status.is_final or number < job.attempt,
    )


@operation("GET /jobs/<int:job_id>/metrics", tag=TAG, answer=Points, query=PointsQuery)
def points(job_id: int, query: PointsQuery) -> Points:
    """Read loss and learning rate by step."""
    path = service.run_dir(service.get(job_id)).metrics
    rows = islice(read_points(path, query.last), query.last)
    return Points(
        points=[
            PointJson(
                attempt=p.attempt,
                step=p.step,
                at=describing.iso(p.time),
                loss=p.loss,
                learning_rate=p.learning_rate,
            )
            for p in rows
        ]
    )


@operation("GET /jobs/<int:job_id>/artifacts", tag=TAG, answer=Files, query=FilesQuery)
def loras(job_id: int, query: FilesQuery) -> Files:
    """List the LoRA files of a job, each with its download address; pinned copies come last."""
    job = service.get(job_id)
    found = _outputs(job)
    return _files(job, (*found.loras, *found.kept), query)


@operation("GET /jobs/<int:job_id>/samples", tag=TAG, answer=Files, query=FilesQuery)
def samples(job_id: int, query: FilesQuery) -> Files:
    """List the samples of a job, each with its download address."""
    job = service.get(job_id)
    return _files(job, _outputs(job).samples, query)


def _outputs(job: Job) -> artifacts.Outputs:
    return artifacts.find(service.run_dir(job).output, ENGINES[job.engine], job.name)


def _files(job: Job, found: tuple[Artifact, ...], query: FilesQuery) -> Files:
    safe = delivery.backed_up(job)
    end = query.after + query.limit
    return Files(
        files=[
            FileJson(
                name=a.path.name,
                path=a.file.path,
                pinned=a.file.kind == "kept",
                size=a.size,
                step=a.file.step,
                epoch=a.file.epoch,
                final=a.file.final,
                prompt=a.file.prompt,
                modified=describing.iso(a.mtime),
                download=url_for("files.artifact", job_id=job.id, relative=a.file.path),
                backed_up=list(safe.get(f"output/{a.file.path}", ())),
            )
            for a in found[query.after : end]
        ],
        next=end if end < len(found) else None,
    )
