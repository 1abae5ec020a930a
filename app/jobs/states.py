"""The life of a job: its states and every legal move."""

from __future__ import annotations

from enum import StrEnum

from app.errors import ConflictError


class JobState(StrEnum):
    """Where a job stands. Shown and stored in lower case."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def is_active(self) -> bool:
        return self in ACTIVE

    @property
    def can_stop(self) -> bool:
        return self in (JobState.QUEUED, JobState.STARTING, JobState.RUNNING)


S = JobState
MOVES: dict[JobState, frozenset[JobState]] = {
    S.QUEUED: frozenset({S.STARTING, S.CANCELLED}),
    # QUEUED from here means interrupted: the runner is gone and left no exit record.
    S.STARTING: frozenset({S.RUNNING, S.FAILED, S.STOPPING, S.QUEUED}),
    S.RUNNING: frozenset({S.SUCCEEDED, S.FAILED, S.STOPPING, S.QUEUED}),
    S.STOPPING: frozenset({S.CANCELLED, S.SUCCEEDED, S.FAILED}),
    # A new attempt: retry, continue, extend.
    S.SUCCEEDED: frozenset({S.QUEUED}),
    S.FAILED: frozenset({S.QUEUED}),
    S.CANCELLED: frozenset({S.QUEUED}),
}
FINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED})
ACTIVE = frozenset({S.STARTING, S.RUNNING, S.STOPPING})


class IllegalMoveError(ConflictError):
    """The job was not in a state that allows this."""

    def __init__(self, job_id: int, have: JobState, want: JobState) -> None:
        text = f"Job {job_id} is {have}; it cannot become {want}."
        if have in FINAL and want in (S.STOPPING, S.CANCELLED):
            text = f"Job {job_id} is over ({have}), so there is nothing to stop."
        super().__init__(text)
        self.job_id, self.have, self.want = job_id, have, want
