"""The health report of a dataset, its fixes, and the buckets that it gives."""

from __future__ import annotations

from pydantic import Field

from app import tasks
from app.datasets import bucketing, fixing, health, library, scanning
from app.errors import UserError
from app.jobs import using
from app.web.api.datasets import TAG
from app.web.api.registry import Answer, Given, operation
from app.web.api.shapes import TaskJson
from app.web.api.tasks import as_json
from engines.registry import EngineName, KnownEngine

_MOST_NAMES = 1000


class FindingJson(Answer):
    """One thing that was found. ``severity``: stops a run, harms it, or a note."""

    key: str
    severity: str
    title: str
    why: str
    count: int
    names: list[str] = Field(description=f"The first {_MOST_NAMES} files.")
    fix: str = Field(description="Of POST .../fix; empty where a person has to decide.")


class HealthJson(Answer):
    """What is known now. ``unexamined`` files were not read whole since they changed."""

    pictures: int
    unexamined: int
    findings: list[FindingJson]
    task: TaskJson | None = Field(description="The newest report, if one was begun.")


class BucketJson(Answer):
    """One bucket in pixels. ``cropped`` and ``worst`` are shares of the area that is cut off."""

    width: int
    height: int
    pictures: int
    cropped: float
    worst: float
    enlarged: int


class BucketsJson(Answer):
    """Fullest bucket first."""

    engine: EngineName
    resolution: int
    buckets: list[BucketJson]


class FixedJson(Answer):
    """The edit that a fix made, which the page can undo; null where there was nothing to fix, or where
    ``task`` makes it in the background."""

    edit: int | None
    summary: str
    task: TaskJson | None


class HealthQuery(Given):
    """For which resolution."""

    resolution: int = Field(1024, ge=8, le=8192, description="Pixels of the edge it is trained at.")


class BucketsQuery(HealthQuery):
    """For which engine and settings."""

    engine: KnownEngine = Field("ai-toolkit", description="Whose rule is followed.")
    step: int = Field(64, ge=8, le=512, description="kohya_ss: sides are multiples of it.")
    upscale: bool = Field(False, description="kohya_ss: small pictures are enlarged.")
    divisor: int = Field(16, ge=8, le=64, description="ai-toolkit: sides are multiples of it.")


class FixBody(Given):
    """Which fix."""

    fix: str = Field(max_length=60, description="``fix`` of a finding.")


@operation(
    "GET /datasets/<int:dataset_id>/health", tag=TAG, answer=HealthJson, query=HealthQuery,
    errors=(400,),
)  # fmt: skip
def show(dataset_id: int, query: HealthQuery) -> HealthJson:
    """Tell what stops or harms a training."""
    dataset = library.get(dataset_id)
    scanning.refresh(dataset)
    try:
        found = health.examine(dataset, query.resolution)
    except OSError as error:
        raise library.folder_lost(dataset, error) from error
    task = tasks.latest(f"dataset:{dataset.id}", health.REPORT)
    findings = [
        FindingJson(
            key=one.key, severity=one.severity, title=one.title, why=one.why,
            count=len(one.names), names=list(one.names[:_MOST_NAMES]), fix=one.fix,
        )
        for one in found.findings
    ]  # fmt: skip
    return HealthJson(
        pictures=found.pictures, unexamined=found.unexamined, findings=findings,
        task=as_json(task) if task is not None else None,
    )  # fmt: skip


@operation("POST /datasets/<int:dataset_id>/report", tag=TAG, answer=TaskJson, status=202)
def start(dataset_id: int) -> TaskJson:
    """Have every picture read that was not read whole since it changed.

    One that runs already is told instead. Follow it as a task.
    """
    return as_json(health.start(library.get(dataset_id)))


@operation(
    "POST /datasets/<int:dataset_id>/fix",
    tag=TAG,
    answer=FixedJson,
    body=FixBody,
    errors=(400, 409),
)
def fix(dataset_id: int, body: FixBody) -> FixedJson:
    """Put one kind of finding right, where that is mechanical."""
    if body.fix not in fixing.FIXES:
        raise UserError(f"There is no such fix; there are: {', '.join(fixing.FIXES)}.")
    dataset = library.get(dataset_id)
    if body.fix in fixing.MOVING:
        using.refuse_if_training(library.folder(dataset), dataset.name)
    edit, task = fixing.order(dataset, body.fix)
    return FixedJson(
        edit=edit.id if edit else None, summary=edit.summary if edit else "",
        task=as_json(task) if task is not None else None,
    )  # fmt: skip


@operation(
    "GET /datasets/<int:dataset_id>/buckets",
    tag=TAG,
    answer=BucketsJson,
    query=BucketsQuery,
    errors=(400,),
)
def buckets(dataset_id: int, query: BucketsQuery) -> BucketsJson:
    """Tell into which sizes the pictures are cut at a resolution."""
    dataset = library.get(dataset_id)
    scanning.refresh(dataset)
    rows = bucketing.rows(
        dataset, query.engine, query.resolution,
        step=query.step, upscale=query.upscale, divisor=query.divisor,
    )  # fmt: skip
    shown = [BucketJson(**{n: getattr(row, n) for n in BucketJson.model_fields}) for row in rows]
    return BucketsJson(engine=query.engine, resolution=query.resolution, buckets=shown)
