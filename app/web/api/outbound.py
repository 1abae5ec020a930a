"""Copies of artifacts, and where they can go."""

from __future__ import annotations

from pydantic import Field

from app import delivery
from app.jobs import describing, service
from app.models import Delivery
from app.web.api.registry import Given, operation
from app.web.api.shapes import Deliveries, DeliveryJson, TargetJson, Targets, TaskJson
from app.web.api.tasks import as_json


class DeliverOrder(Given):
    """What goes where."""

    target: str = Field(max_length=100, description="Id of a target; see /targets.")
    what: list[delivery.What] = Field(
        default_factory=list, description="Which files; empty: what the target is set to."
    )


def _row(row: Delivery) -> DeliveryJson:
    names = {target.id: target.name for target in delivery.targets()}
    plain = ("id", "target", "path", "size", "sha256", "remote", "error")
    return DeliveryJson(
        job=row.job_id,
        target_name=names.get(row.target, row.target),
        state=delivery.state_of(row),
        verified=describing.iso(row.verified_at),
        **{name: getattr(row, name) for name in plain},
    )


@operation("GET /jobs/<int:job_id>/deliveries", tag="Copies", answer=Deliveries)
def of_job(job_id: int) -> Deliveries:
    """List what of a job was chosen for a target, and what was verified there."""
    job = service.get(job_id)
    rows = [_row(row) for row in delivery.rows(job.id)]
    return Deliveries(deliveries=rows, pending=delivery.pending([job]))


@operation("POST /jobs/<int:job_id>/deliveries", tag="Copies", answer=TaskJson, body=DeliverOrder,
           status=202, errors=(409,))  # fmt: skip
def deliver(job_id: int, body: DeliverOrder) -> TaskJson:
    """Copy files of a job to a target; the answer is the task that does it."""
    return as_json(delivery.order(service.get(job_id), body.target, tuple(body.what)))


@operation("GET /targets", tag="Copies", answer=Targets)
def targets() -> Targets:
    """List where files can go. It is set up on the Settings page; who is told: see /notifications."""
    found = [TargetJson(id=t.id, name=t.name, kind=t.kind) for t in delivery.targets()]
    return Targets(deliveries=found)
