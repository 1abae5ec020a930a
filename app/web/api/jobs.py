"""Jobs: submit, look, act."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from app.jobs import describing, service, store
from app.web.api.registry import Given, operation
from app.web.api.shapes import (
    AttemptJson,
    Attempts,
    EventJson,
    Events,
    JobJson,
    JobPage,
    JobWithSpec,
    State,
)
from engines.sections.table import MOST_STEPS
from engines.spec import JobSpec

TAG = "Jobs"
_MOST = 2**63 - 1


class JobsQuery(Given):
    """Which jobs."""

    state: State | None = Field(None, description="Only jobs in this state.")
    q: str = Field("", max_length=200, description="Only jobs whose name holds this.")
    limit: int = Field(50, ge=1, le=500, description="At most so many.")
    before: int | None = Field(None, ge=1, le=_MOST, description="Cursor: only smaller numbers.")


class SubmitQuery(Given):
    """How it is queued."""

    hold: bool = Field(False, description="Create it, but do not start it yet.")
    executor: Literal["", "local", "slurm"] = Field(
        "", description="Where it runs; empty as EXECUTOR says. The following are for Slurm."
    )
    partition: str = Field("", max_length=200, description="Slurm partition.")
    account: str = Field("", max_length=200, description="Slurm account.")
    time_limit: str = Field("", max_length=20, description="Such as 12:00:00.")
    constraint: str = Field("", max_length=200, description="Features that the node must have.")
    gpu_type: str = Field("", max_length=60, description="As the cluster names it, such as a100.")
    options: str = Field("", max_length=1000, description="Further long options of sbatch.")


class StopQuery(Given):
    """How it is stopped."""

    save: bool = Field(False, description="Have the engine save first, where it can.")


class RetryQuery(Given):
    """Where it goes on."""

    fresh: bool = Field(False, description="From step 0, not from the newest save.")


class EventsQuery(Given):
    """Which events."""

    after: int = Field(0, ge=0, le=_MOST, description="Cursor: only later events.")
    limit: int = Field(200, ge=1, le=1000, description="At most so many.")


class Extension(Given):
    """How much further."""

    steps: int = Field(ge=1, le=MOST_STEPS, description="So many further steps.")


class Priority(Given):
    """Its place."""

    priority: int = Field(
        ge=-service.HIGHEST_PRIORITY,
        le=service.HIGHEST_PRIORITY,
        description="Higher starts earlier.",
    )


def shown(job_id: int) -> JobJson:
    """The job, freshly read."""
    return JobJson.model_validate(service.as_json(service.get(job_id)))


@operation("GET /jobs", tag=TAG, answer=JobPage, query=JobsQuery)
def index(query: JobsQuery) -> JobPage:
    """List jobs, newest first."""
    page = service.page(state=query.state, search=query.q, limit=query.limit, before=query.before)
    jobs = [JobJson.model_validate(service.as_json(job)) for job in page.jobs]
    return JobPage(jobs=jobs, next=page.next)


@operation("POST /jobs", tag=TAG, answer=JobJson, query=SubmitQuery, body=JobSpec, as_sent=True,
           status=201, errors=(409,))  # fmt: skip
def submit(query: SubmitQuery, body: dict[str, Any]) -> JobJson:
    """Queue a job.

    The body is a spec. Required are name, family, base_model, datasets and length; everything else
    has a default by family and by GPU. Each wrong field is named in ``errors``.
    """
    place = {name: text for name, text in query.model_dump(exclude={"hold"}).items() if text}
    job = service.submit(body, hold=query.hold, place=place)
    return JobJson.model_validate(service.as_json(job))


@operation("GET /jobs/<int:job_id>", tag=TAG, answer=JobWithSpec)
def show(job_id: int) -> JobWithSpec:
    """Show a job with its spec."""
    found = service.get(job_id)
    return JobWithSpec.model_validate({**service.as_json(found), "spec": service.clone(found)})


@operation("POST /jobs/<int:job_id>/stop", tag=TAG, answer=JobJson, query=StopQuery, errors=(409,))
def stop(job_id: int, query: StopQuery) -> JobJson:
    """Stop a job; a queued one is cancelled at once.

    A running one says stopping until its exit is seen.
    """
    service.stop(service.get(job_id), save=query.save)
    return shown(job_id)


@operation("POST /jobs/<int:job_id>/retry", tag=TAG, answer=JobJson, query=RetryQuery,
           errors=(409,))  # fmt: skip
def retry(job_id: int, query: RetryQuery) -> JobJson:
    """Queue a finished job again, from its newest save."""
    service.retry(service.get(job_id), resume=not query.fresh)
    return shown(job_id)


@operation("POST /jobs/<int:job_id>/extend", tag=TAG, answer=JobJson, body=Extension,
           errors=(400, 409))  # fmt: skip
def extend(job_id: int, body: Extension) -> JobJson:
    """Continue a run that succeeded for more steps."""
    service.extend(service.get(job_id), body.steps)
    return shown(job_id)


@operation("POST /jobs/<int:job_id>/hold", tag=TAG, answer=JobJson, errors=(409,))
def hold(job_id: int) -> JobJson:
    """Keep a queued job from starting."""
    service.hold(service.get(job_id))
    return shown(job_id)


@operation("POST /jobs/<int:job_id>/release", tag=TAG, answer=JobJson, errors=(409,))
def release(job_id: int) -> JobJson:
    """Let a held job start."""
    service.release(service.get(job_id))
    return shown(job_id)


@operation("POST /jobs/<int:job_id>/next", tag=TAG, answer=JobJson, errors=(409,))
def run_next(job_id: int) -> JobJson:
    """Put a queued job before all others, and release it."""
    service.run_next(service.get(job_id))
    return shown(job_id)


@operation("PUT /jobs/<int:job_id>/priority", tag=TAG, answer=JobJson, body=Priority,
           errors=(409,))  # fmt: skip
def priority(job_id: int, body: Priority) -> JobJson:
    """Set the priority of a queued job."""
    service.set_priority(service.get(job_id), body.priority)
    return shown(job_id)


@operation("DELETE /jobs/<int:job_id>", tag=TAG, errors=(409,))
def delete(job_id: int) -> None:
    """Delete a job that is not active, with its folder."""
    service.delete(service.get(job_id))


@operation("GET /jobs/<int:job_id>/events", tag=TAG, answer=Events, query=EventsQuery)
def events(job_id: int, query: EventsQuery) -> Events:
    """List what happened to a job."""
    service.get(job_id)
    found = store.events(job_id, after=query.after, limit=query.limit)
    rows = [
        EventJson(
            id=e.id,
            at=describing.iso(e.at),
            old=e.old,
            new=e.new,
            attempt=e.attempt,
            reason=e.reason,
        )
        for e in found
    ]
    return Events(events=rows, next=rows[-1].id if len(rows) == query.limit else None)


@operation("GET /jobs/<int:job_id>/attempts", tag=TAG, answer=Attempts)
def attempts(job_id: int) -> Attempts:
    """List the attempts of a job."""
    plain = ("number", "outcome", "reason", "exit_code", "signal", "gpus", "start_step",
             "last_step", "peak_vram", "executor", "place")  # fmt: skip
    rows = [
        AttemptJson(
            started=describing.iso(a.started),
            ended=describing.iso(a.ended),
            **{name: getattr(a, name) for name in plain},
        )
        for a in service.get(job_id).attempts
    ]
    return Attempts(attempts=rows)
