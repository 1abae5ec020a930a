"""Closes an attempt: settles a seen exit, or takes in that a run vanished without one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from app.jobs import launching, report, service, settling, store
from app.jobs.executor import Lost
from app.jobs.following import Following
from app.jobs.rundir import AttemptDir, ExitRecord
from app.jobs.states import JobState
from app.models import Attempt, Job
from engines.adapter import ENGINES

if TYPE_CHECKING:
    from app.platform import Platform

log = logging.getLogger(__name__)

TIME_LIMIT = "time-limit"
"""The wish that the runner has by itself when Slurm tells it that its time is nearly up."""
BACK_OFF_SECONDS = 30.0

_NOTHING_LEFT: dict[str, Any] = {"stalled": False, "phase": "", "wish": ""}
"""What the row of a job says of an attempt that is over."""
_OUTCOMES = {
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def settle(platform: Platform, job_id: int, folder: AttemptDir, record: ExitRecord) -> None:
    """An exit was seen: read the rest of the log, check the LoRA, decide, write it all down."""
    with platform.app.app_context():
        job = store.get(job_id)
        attempt = store.attempt_of(job)
        if attempt is None or not job.status.is_active:
            return
        run = service.run_dir(job)
        engine = ENGINES[launching.engine_name(job)]
        following = Following(job, attempt, run, engine)
        following.read(finish=True)
        following.write(job, attempt)
        evidence = settling.gather(run, folder, record, engine, job.name)
        job = store.get(job_id)
        guard = job.reason if job.wish == "guard" else ""
        if record.wish == TIME_LIMIT and job.status is not JobState.STOPPING and not (
            record.code == 0 and not evidence.lora
        ):  # fmt: skip
            reason = "its time limit was near: it ended there and goes on from the newest save"
            _close(attempt, "interrupted", reason, record)
            _queue_again(platform, job, reason, counts=not _progressed(job, attempt))
            return
        verdict = settling.judge(job.status, evidence, guard)
        if job.status is JobState.STARTING and verdict.state is JobState.SUCCEEDED:
            store.move(job, JobState.RUNNING)
        _close(attempt, _OUTCOMES[verdict.state], verdict.reason, record)
        # Before the move, so that a page which sees the end also sees that a report comes.
        report.start(job, at_end=True)
        store.move(
            job,
            verdict.state,
            verdict.reason,
            suggestion=verdict.suggestion,
            cause=verdict.cause or job.cause,
            finished=record.ended,
            **_NOTHING_LEFT,
        )


def _close(attempt: Attempt, outcome: str, reason: str, record: ExitRecord | None) -> None:
    store.change_attempt(
        attempt,
        outcome=outcome,
        reason=reason,
        exit_code=record.code if record else None,
        signal=record.signal if record else None,
        ended=record.ended if record else time.time(),
    )


def interrupted(platform: Platform, job_id: int, folder: AttemptDir, lost: Lost) -> None:
    """The runner is gone and left no exit record: end what it left, then queue a new attempt."""
    with platform.app.app_context():
        job = store.get(job_id)
        attempt = store.attempt_of(job)
        executor = platform.executor_for(attempt.executor if attempt else "local")
        left = executor.end_leftovers(folder)
        if not job.status.is_active:
            return
        if attempt is not None and folder.log.exists():
            engine = ENGINES[launching.engine_name(job)]
            following = Following(job, attempt, service.run_dir(job), engine)
            following.read(finish=True)
            following.write(job, attempt)
        why = lost.why or "the machine or the runner stopped without an exit record"
        reason = f"interrupted: {why}" if lost.then == "again" else why
        if left:
            reason += f"; {left} process{'es' if left > 1 else ''} of it ended now"
        stopping = job.status is JobState.STOPPING
        if stopping and lost.then == "cancelled":
            reason = "stopped"  # whoever cancelled it there, it is what was asked for here
        if attempt is not None:
            outcome = "interrupted" if lost.then == "again" else lost.then
            _close(attempt, "cancelled" if stopping else outcome, reason, None)
        if stopping:
            store.move(job, JobState.CANCELLED, "stopped", finished=time.time(), **_NOTHING_LEFT)
        elif lost.then == "again":
            # On a cluster being interrupted is everyday: what made progress does not count.
            counts = lost.counts and not (lost.why and attempt and _progressed(job, attempt))
            _queue_again(platform, job, reason, counts=counts)
        else:
            _end(job, reason, lost)


def _progressed(job: Job, attempt: Attempt) -> bool:
    """Whether the attempts get on: this one began further than the one before, which therefore saved.

    Steps that are lost with it are none: a job that never comes to its first save would go on for ever.
    """
    before = store.attempt_of(job, attempt.number - 1)
    if before is None:
        return attempt.last_step > attempt.start_step
    return attempt.start_step > before.start_step


def _end(job: Job, reason: str, lost: Lost) -> None:
    """Whoever ran it ended it, and it is not for us to begin again."""
    new = JobState.FAILED
    if lost.then == "cancelled":
        store.move(job, JobState.STOPPING, reason)
        new = JobState.CANCELLED
    store.move(
        job, new, reason, suggestion=lost.suggestion, cause=lost.cause or job.cause,
        finished=time.time(), **_NOTHING_LEFT,
    )  # fmt: skip


def _queue_again(platform: Platform, job: Job, reason: str, *, counts: bool = True) -> None:
    count = job.interruptions + counts
    limit = platform.settings.max_interruptions
    if count > limit:
        store.move(
            job,
            JobState.FAILED,
            f"interrupted {count} times, more often than MAX_INTERRUPTIONS ({limit}) allows",
            suggestion="Look at the last lines of the log, then press Retry to go on from the newest save.",
            interruptions=count,
            finished=time.time(),
            **_NOTHING_LEFT,
        )
        return
    store.move(
        job,
        JobState.QUEUED,
        reason,
        interruptions=count,
        not_before=time.time() + (back_off(count) if counts else 0.0),
        **_NOTHING_LEFT,
    )


def back_off(interruptions: int) -> float:
    """Seconds until the next attempt: none for the first two, then doubling from 30 s to 10 min."""
    if interruptions < 3:
        return 0.0
    return min(store.LONGEST_BACK_OFF_SECONDS, BACK_OFF_SECONDS * 2.0 ** (interruptions - 3))
