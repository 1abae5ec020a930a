"""What the API answers with: the models behind the OpenAPI document. Times are ISO 8601 in UTC."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from app.web.api.registry import Answer

State = Literal["queued", "starting", "running", "stopping", "succeeded", "failed", "cancelled"]


class Problem(Answer):
    """An error: what happened and what to do; ``errors`` holds a sentence for each wrong field."""

    error: str
    errors: dict[str, str] | None = None


class JobJson(Answer):
    """A job as it stands."""

    id: int
    name: str
    engine: str
    family: str
    state: State
    reason: str
    suggestion: str
    attempt: int
    phase: str
    step: int
    total_steps: int | None
    loss: float | None
    seconds_per_step: float | None
    gpus: str = Field(description="Numbers of its GPUs, such as 0,1; empty on the CPU.")
    held: bool
    priority: int
    created: str | None
    started: str | None
    finished: str | None


class JobWithSpec(JobJson):
    """A job and the spec that it was asked for with."""

    spec: dict[str, Any]


class JobPage(Answer):
    """Jobs, newest first. ``next`` is the ``before`` of the following page; null on the last."""

    jobs: list[JobJson]
    next: int | None


class EventJson(Answer):
    """A move of a job, or something worth telling (``new`` is null then)."""

    id: int
    at: str | None
    old: str | None
    new: str | None
    attempt: int
    reason: str


class Events(Answer):
    """Events, oldest first."""

    events: list[EventJson]
    next: int | None = Field(description="The ``after`` of the following page.")


class AttemptJson(Answer):
    """One start of the trainer."""

    number: int
    outcome: str
    reason: str
    exit_code: int | None
    signal: str | None
    gpus: str
    start_step: int
    last_step: int
    peak_vram: int = Field(description="Bytes; 0 where nobody could look.")
    executor: str = Field(description="local or slurm.")
    place: str = Field(description="The node that a cluster gave it; empty on this machine.")
    started: str | None
    ended: str | None


class Attempts(Answer):
    """Every attempt, oldest first."""

    attempts: list[AttemptJson]


class LogPiece(Answer):
    """Whole lines since an offset. Ask again with ``end`` as the offset for what follows."""

    attempt: int
    lines: list[str]
    live: str = Field(description="The line that is still being rewritten, such as a progress bar.")
    start: int
    end: int
    skipped: int = Field(description="Bytes that were left out because the reader fell behind.")
    size: int
    over: bool = Field(description="Nothing will be added any more.")


class PointJson(Answer):
    """A reading of the engine's own records."""

    attempt: int
    step: int
    at: str | None
    loss: float | None
    learning_rate: float | None


class Points(Answer):
    """The newest readings, oldest first."""

    points: list[PointJson]


class FileJson(Answer):
    """A file of a run. ``download`` is an address on this server."""

    name: str
    path: str = Field(description="Below the output folder of the run.")
    pinned: bool = Field(description="A copy that no engine prunes.")
    size: int
    step: int | None
    epoch: int | None
    final: bool
    prompt: int | None = Field(description="Index of the prompt of a sample, from 0.")
    modified: str | None
    download: str
    backed_up: list[str] = Field(description="Names of the targets that hold it, verified.")


class Files(Answer):
    """Files, in order of step."""

    files: list[FileJson]
    next: int | None = Field(description="The ``after`` of the following page; null on the last.")


class QueueJson(Answer):
    """The queue: how many jobs there are by state, and what keeps it."""

    paused: bool
    held: str = Field(description="Why no job may start now, such as a full disk; empty if it may.")
    counts: dict[str, int]


class EngineJson(Answer):
    """One engine as it was found on this machine."""

    name: str
    installed: bool
    problem: str
    home: str
    python: str


class Engines(Answer):
    """Every engine, installed or not."""

    engines: list[EngineJson]


class GpuJson(Answer):
    """A GPU as NVML tells it. Memory in bytes, power in watts, temperature in degrees Celsius."""

    index: int
    name: str
    memory_total: int | None
    memory_used: int | None
    utilisation: int | None
    temperature: int | None
    power: float | None
    usable: bool


class Gpus(Answer):
    """The GPUs; ``problem`` says what kept us from seeing any."""

    gpus: list[GpuJson]
    problem: str | None


class SystemJson(Answer):
    """The machine that it runs on. Sizes in bytes."""

    disk_total: int
    disk_free: int
    disk_soft: int = Field(description="No job starts with less free disk than this.")
    supervising: bool = Field(description="Whether this copy of the program runs the jobs.")
    last_tick_seconds: float | None


class TaskJson(Answer):
    """Background work that is no training: an import, a download, an upload."""

    id: int
    kind: str
    title: str
    subject: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    message: str
    error: str
    done: int
    total: int | None
    unit: str
    result: dict[str, Any]
    created: str | None
    started: str | None
    finished: str | None


class TaskPage(Answer):
    """Tasks, newest first."""

    tasks: list[TaskJson]
    next: int | None


class DeliveryJson(Answer):
    """A file that goes, or went, to a target. ``verified``: size and hash were seen there."""

    id: int
    job: int
    target: str
    target_name: str
    path: str
    size: int
    sha256: str
    state: Literal["waiting", "sent", "verified", "failed", "changed"]
    remote: str
    verified: str | None
    error: str


class Deliveries(Answer):
    """Everything that was chosen for a target."""

    deliveries: list[DeliveryJson]
    pending: list[str] = Field(
        description="What keeps the artifacts from being safe, in sentences."
    )


class TargetJson(Answer):
    """Where artifacts go. Never with its secrets."""

    id: str
    name: str
    kind: str


class Targets(Answer):
    """Everywhere that artifacts can go."""

    deliveries: list[TargetJson]
