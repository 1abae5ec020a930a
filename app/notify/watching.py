"""Derives messages from what is written down: moves of jobs, free disk, failed uploads.

A message is queued before the cursor of events moves, and queueing it again does nothing, so a
kill at any moment loses none and doubles none. What happened before the first start is old news.
"""

from __future__ import annotations

import time

from app import tasks
from app.jobs import guards, store
from app.jobs.event_cursor import NOT_SENT, EventCursor
from app.jobs.states import JobState
from app.models import Job, JobEvent
from app.notify.telling import about, tell
from app.platform import current

_DISK = "notify.disk"
_UPLOADS = "notify.uploads"
_OVERLAP = 10.0
_LOOK_SECONDS = 5.0
"""So often the disk and failed uploads are looked at, which ring no bell; events are at each tick."""
_NEAR = 600.0
"""Seconds before the machine goes away at which a person is told."""
_RUNNING = (JobState.STARTING.value, JobState.RUNNING.value)
_FINAL = (JobState.SUCCEEDED.value, JobState.FAILED.value, JobState.CANCELLED.value)


class Watcher:
    """Called by the supervisor at each of its ticks; costs one look at an index when idle."""

    def __init__(self) -> None:
        self._events = EventCursor("notify.cursor")
        self._warned = ""
        self._looked = -_LOOK_SECONDS

    def tick(self) -> None:
        """One look. Needs an application context."""
        self._events.look(_told)
        self._machine()
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            _disk()
            _uploads()

    def _machine(self) -> None:
        """Told once for each countdown that has reached its last minutes, and for each order."""
        state = current().supervisor.autostop.state
        left = state.left if state.phase == "idle" else state.cap_left
        near = left is not None and left < _NEAR
        if state.phase not in ("stopping", "ordered") and not near:
            self._warned = ""
        elif not self._warned:
            self._warned = f"machine:{time.time():.0f}"
            what = "destroyed" if state.act == "destroy" else "stopped"
            when = f"in about {left / 60:.0f} minutes" if near and left else "now"
            body = f"{state.reason or 'Nothing is left to do'}. Press keep running to prevent it.\n/meter"
            tell("machine-stops", self._warned, f"This machine is {what} {when}", body)


def _told(event: JobEvent) -> None:
    job, key = event.job, f"event:{event.id}"
    if event.new == JobState.SUCCEEDED:
        tell("finished", key, *about(job, "finished", event.reason))
    elif event.new == JobState.FAILED:
        tell("failed", key, *about(job, "failed", event.reason))
    elif event.new == JobState.QUEUED and event.old in _RUNNING:
        words = f"{event.reason}. It is queued again and goes on from its newest save"
        tell("interrupted", key, *about(job, "was interrupted", words))
    elif event.new is None and event.reason.startswith(guards.SILENT):
        tell("stalled", key, *about(job, "may hang", event.reason))
    elif event.new is None and event.reason.startswith(NOT_SENT):
        tell("upload-failed", key, *about(job, "was not copied", event.reason))
    if event.new in _FINAL and _is_last(job):
        tell(
            "queue-empty", f"{key}:empty", "The queue is empty", f"{job.name} was the last job.\n/"
        )


def _is_last(job: Job) -> bool:
    counts = store.counts()
    return not any(counts.get(state) for state in JobState if state.value not in _FINAL)


def _disk() -> None:
    """Told once when free disk falls below the limit, and again only after it had recovered."""
    platform = current()
    free, soft = guards.free_gb(platform), platform.settings.disk_soft_gb
    count, _, state = (store.fact(_DISK) or "0:enough").partition(":")
    if free < soft and state == "enough":
        number = int(count) + 1
        body = (
            f"{free:.1f} GB are free. No job starts below {soft:g} GB, and running jobs are stopped "
            f"below {platform.settings.disk_hard_gb:g} GB. Delete old jobs or checkpoints.\n/system"
        )
        tell("disk-low", f"disk:{number}", "The disk is nearly full", body)
        store.remember(_DISK, f"{number}:low")
    elif free > soft * 1.1 and state == "low":
        store.remember(_DISK, f"{count}:enough")


def _uploads() -> None:
    since = float(store.fact(_UPLOADS) or 0)
    failed = tasks.ended_since("delivery.", "failed", max(0.0, since - _OVERLAP))
    for task in failed:
        job = task.subject.split(":")[1]
        body = f"{task.error}\n/jobs/{job}"
        tell(
            "upload-failed",
            f"upload:{task.id}:{task.finished}",
            f"A copy of job {job} failed",
            body,
        )
    newest = max((task.finished or 0.0 for task in failed), default=0.0)
    if newest > since:
        store.remember(_UPLOADS, repr(newest))
