"""Jobs, their attempts and their events.

Times are seconds since the epoch, UTC. Only ``app.jobs.store`` writes ``Job.state``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.db import db
from app.jobs.states import JobState

_STATES = ", ".join(f"'{state}'" for state in JobState)


class Job(db.Model):  # type: ignore[name-defined,misc]
    """One wish for a LoRA, from submission to its final state."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="job_state_is_known"),
        Index("job_by_state", "state", "priority", "id"),
        # A number is never given twice: it names the run directory.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    family: Mapped[str]
    engine: Mapped[str]
    document: Mapped[str] = mapped_column(Text)
    """The spec as JSON, never edited."""
    state: Mapped[str] = mapped_column(default=JobState.QUEUED.value)
    reason: Mapped[str] = mapped_column(Text, default="")
    suggestion: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every visible change, so that a poll can be answered with 204."""
    priority: Mapped[int] = mapped_column(default=0)
    held: Mapped[bool] = mapped_column(default=False)
    fresh: Mapped[bool] = mapped_column(default=False)
    """The next attempt starts at step 0, whatever saved states there are."""
    wish: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=0)
    interruptions: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[float] = mapped_column(default=0.0)
    """Earliest start of the next attempt (back-off after interruptions)."""
    gpus: Mapped[str] = mapped_column(default="")
    phase: Mapped[str] = mapped_column(default="")
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    loss: Mapped[float | None]
    learning_rate: Mapped[float | None]
    seconds_per_step: Mapped[float | None]
    finish_at: Mapped[float | None]
    """When the last step is foreseen, pauses included; None while nothing is known."""
    redone_steps: Mapped[int] = mapped_column(default=0)
    target_steps: Mapped[int] = mapped_column(default=0)
    """Length after a finished run was continued, in steps; 0: as the spec, which is never edited."""
    gpu_choice: Mapped[str] = mapped_column(default="")
    """GPU numbers that a person chose, such as "1"; empty takes any."""
    executor: Mapped[str] = mapped_column(Text, default="")
    """Where a person wants it to run: local or slurm; empty as EXECUTOR says."""
    cluster: Mapped[str] = mapped_column(Text, default="")
    """What it asks Slurm for by itself, as JSON; empty: as the settings say."""
    cause: Mapped[str] = mapped_column(default="")
    """Key of the diagnosis, where the cause of a failure is a known one."""
    stalled: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[str] = mapped_column(Text, default="")
    """Sentences of the plan, one a line: what was rounded or translated."""
    last_output: Mapped[float | None]
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]

    attempts: Mapped[list[Attempt]] = relationship(
        back_populates="job", order_by="Attempt.number", cascade="all, delete-orphan"
    )
    events: Mapped[list[JobEvent]] = relationship(
        back_populates="job", order_by="JobEvent.id", cascade="all, delete-orphan"
    )

    @validates("state")
    def _plain_text(self, _key: str, value: Any) -> str:
        return str(value)

    @property
    def status(self) -> JobState:
        """The state as the enum."""
        return JobState(self.state)


class Attempt(db.Model):  # type: ignore[name-defined,misc]
    """One start of a trainer for a job. It keeps its own log, exit record and reason."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("job_id", "number", name="attempt_number_is_unique"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    outcome: Mapped[str] = mapped_column(default="running")
    """running, succeeded, failed, cancelled or interrupted."""
    reason: Mapped[str] = mapped_column(Text, default="")
    exit_code: Mapped[int | None]
    signal: Mapped[str | None]
    gpus: Mapped[str] = mapped_column(default="")
    start_step: Mapped[int] = mapped_column(default=0)
    start_epoch: Mapped[int] = mapped_column(default=0)
    last_step: Mapped[int] = mapped_column(default=0)
    steps_per_epoch: Mapped[int | None]
    epochs: Mapped[int | None]
    log_offset: Mapped[int] = mapped_column(default=0)
    peak_vram: Mapped[int] = mapped_column(BigInteger, default=0)
    """Most bytes in use on one of its GPUs, as sampled while it ran; 0 where nobody could look."""
    executor: Mapped[str] = mapped_column(Text, default="local")
    place: Mapped[str] = mapped_column(Text, default="")
    """The node that a cluster gave it; empty on this machine."""
    started: Mapped[float]
    ended: Mapped[float | None]

    job: Mapped[Job] = relationship(back_populates="attempts")


class JobEvent(db.Model):  # type: ignore[name-defined,misc]
    """One row for every move of a job, and for every thing worth telling about it."""

    __tablename__ = "job_event"
    # A number is never given twice: messages are told by them.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), index=True)
    at: Mapped[float]
    old: Mapped[str | None]
    new: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text, default="")

    job: Mapped[Job] = relationship(back_populates="events")
