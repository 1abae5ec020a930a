"""Closes an attempt: settles a seen exit, or takes in that a run vanished without one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from app.jobs import launching, report, service, settling, store
from app.jobs.following import Following
from app.jobs.rundir import AttemptDir, ExitRecord
from app.jobs.states import JobState
from app.models import Attempt, Job
from engines.adapter import ENGINES

if TYPE_CHECKING:
    from app.platform import Platform

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = 30.0
LONGEST_BACK_OFF_SECONDS = 600.0

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
            stalled=False,
            finished=record.ended,
            phase="",
            wish="",
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


def interrupted(platform: Platform, job_id: int, folder: AttemptDir) -> None:
    """The runner is gone and left no exit record: end what it left, then queue a new attempt."""
    with platform.app.app_context():
        left = platform.executor.end_leftovers(folder)
        job = store.get(job_id)
        attempt = store.attempt_of(job)
        if not job.status.is_active:
            return
        if attempt is not None and folder.log.exists():
            engine = ENGINES[launching.engine_name(job)]
            following = Following(job, attempt, service.run_dir(job), engine)
            following.read(finish=True)
            following.write(job, attempt)
        reason = "interrupted: the machine or the runner stopped without an exit record"
        if left:
            reason += f"; {left} process{'es' if left > 1 else ''} of it ended now"
        if attempt is not None:
            _close(attempt, "interrupted", reason, None)
        if job.status is JobState.STOPPING:
            store.move(job, JobState.CANCELLED, "stopped", finished=time.time(), phase="", wish="")
        else:
            _queue_again(platform, job, reason)


def _queue_again(platform: Platform, job: Job, reason: str) -> None:
    count = job.interruptions + 1
    limit = platform.settings.max_interruptions
    if count > limit:
        store.move(
            job,
            JobState.FAILED,
            f"interrupted {count} times, more often than MAX_INTERRUPTIONS ({limit}) allows",
            suggestion="Look at the last lines of the log, then press Retry to go on from the newest save.",
            interruptions=count,
            finished=time.time(),
            phase="",
        )
        return
    store.move(
        job,
        JobState.QUEUED,
        reason,
        interruptions=count,
        not_before=time.time() + back_off(count),
        phase="",
    )


def back_off(interruptions: int) -> float:
    """Seconds until the next attempt: none for the first two, then doubling from 30 s to 10 min."""
    if interruptions < 3:
        return 0.0
    return min(LONGEST_BACK_OFF_SECONDS, BACK_OFF_SECONDS * 2.0 ** (interruptions - 3))
