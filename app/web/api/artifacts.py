"""What people do with the files of a run: pin, delete, report; and searching its log."""

from __future__ import annotations

from pydantic import Field

from app.jobs import logsearch, report, retention, service
from app.web.api.attempts import AttemptQuery, log_of
from app.web.api.registry import Answer, Given, operation
from app.web.api.shapes import TaskJson
from app.web.api.tasks import as_json

TAG = "Outputs"
_MOST = 2**63 - 1


class ArtifactPath(Given):
    """One LoRA file."""

    path: str = Field(min_length=1, max_length=1000, description="Its ``path`` in the list.")


class SearchQuery(AttemptQuery):
    """What to look for, and from where."""

    q: str = Field("", max_length=200, description="Text; empty: lines that tell of an error.")
    start: int = Field(0, alias="from", ge=0, le=_MOST, description="Byte to begin at.")
    limit: int = Field(100, ge=1, le=1000, description="At most so many lines.")


class HitJson(Answer):
    """A line, and the byte at which it begins."""

    offset: int
    text: str


class HitPage(Answer):
    """Lines in order. One answer looks at 8 MB at most; ``next`` is the ``from`` to go on with."""

    hits: list[HitJson]
    next: int | None = Field(description="null: the end was reached.")
    size: int


@operation("GET /jobs/<int:job_id>/log/search", tag=TAG, answer=HitPage, query=SearchQuery)
def search(job_id: int, query: SearchQuery) -> HitPage:
    """Search a log, whatever its size, a piece at a time."""
    _, path = log_of(service.get(job_id), query)
    wanted = logsearch.pattern_of(query.q) if query.q else logsearch.ERROR
    found = logsearch.search(path, wanted, query.start, most=query.limit)
    hits = [HitJson(offset=hit.offset, text=hit.text) for hit in found.hits]
    return HitPage(hits=hits, next=found.next, size=found.size)


@operation("POST /jobs/<int:job_id>/artifacts/pin", tag=TAG, body=ArtifactPath, errors=(400, 409))
def pin(job_id: int, body: ArtifactPath) -> None:
    """Keep a checkpoint where the engine does not prune it."""
    retention.pin(service.get(job_id), body.path)


@operation("POST /jobs/<int:job_id>/artifacts/unpin", tag=TAG, body=ArtifactPath, errors=(400, 409))
def unpin(job_id: int, body: ArtifactPath) -> None:
    """Give up the pin of a file below kept/; its last copy goes with it."""
    retention.unpin(service.get(job_id), body.path)


@operation("POST /jobs/<int:job_id>/artifacts/delete", tag=TAG, body=ArtifactPath,
           errors=(400, 409))  # fmt: skip
def delete(job_id: int, body: ArtifactPath) -> None:
    """Delete one LoRA file for good."""
    retention.delete(service.get(job_id), body.path)


@operation("POST /jobs/<int:job_id>/report", tag=TAG, answer=TaskJson, status=202)
def write_report(job_id: int) -> TaskJson:
    """Write the report of a run anew; the answer is the task that does it."""
    return as_json(report.start(service.get(job_id)))
