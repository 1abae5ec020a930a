"""Follows one running attempt: its log and the engine's records become progress on the job."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from app.jobs import curves, progress, store
from app.jobs.logtail import Follower
from app.jobs.metrics import Recorder
from app.jobs.rundir import RunDir
from app.jobs.timing import Clock
from app.models import Attempt, Job
from engines.adapter import Engine
from engines.base import Phase, Progress

BYTES_AT_ONCE = 4 << 20
NOTE_SECONDS = 10.0


@dataclass
class Seen:
    """The latest of everything the trainer told. Steps are those of the whole job."""

    step: int | None = None
    total: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    seconds_per_step: float | None = None
    phase: Phase | None = None
    steps_per_epoch: int | None = None
    nan_in_a_row: int = 0
    at: tuple[int, float] | None = None
    """Step and time of the newest record."""


class Following:
    """The reader of one attempt. Lives in the supervisor's thread."""

    def __init__(self, job: Job, attempt: Attempt, run: RunDir, engine: Engine) -> None:
        self.number = attempt.number
        self._engine = engine
        document = json.loads(job.document)
        self._accumulation = int(document["batch"]["gradient_accumulation"])
        self._clock = Clock(_interval(document))
        self._pace = curves.Pace()
        self._noted = 0.0
        self._start_step = attempt.start_step
        self._start_epoch = attempt.start_epoch
        self._epochs = attempt.epochs
        folder = run.attempt(attempt.number)
        self._keep = int((document.get("saving") or {}).get("keep") or 0)
        self._removed: list[str] = []
        self._log = Follower(folder.log, attempt.log_offset)
        self._records = Recorder(
            run, engine.name, attempt=attempt.number, step_offset=self._offset()
        )
        self.seen = Seen(steps_per_epoch=attempt.steps_per_epoch)

    def _offset(self) -> int:
        return self._start_step if self._engine.traits.counts_from_attempt else 0

    def read(self, *, finish: bool = False) -> None:
        """Take in what is new. ``finish`` also takes an unfinished last line."""
        pieces = self._log.pieces(BYTES_AT_ONCE)
        if finish:
            pieces += self._log.finish()
        for piece in pieces:
            progress = self._engine.parse(piece)
            if progress is not None:
                self._merge(progress)
        self._take_records(finish)

    def _take_records(self, finish: bool) -> None:
        """The engine's own records are exact where the bar is not: the loss of the step itself."""
        for point in self._records.flush() if finish else self._records.collect():
            seconds = self._pace.of(point.attempt, point.step, point.time)
            if seconds is not None:
                self._clock.take([seconds])
            self.seen.at = (point.step, point.time)
            if point.step is not None and (self.seen.step is None or point.step >= self.seen.step):
                self.seen.step = point.step
            if point.loss is not None:
                self.seen.loss = point.loss
            if point.learning_rate is not None:
                self.seen.learning_rate = point.learning_rate

    def note_memory(self, used: int) -> None:
        """Keep how much GPU memory is in use, every ten seconds; written with the next record."""
        now = time.time()
        if used and self.seen.step is not None and now - self._noted >= NOTE_SECONDS:
            self._noted = now
            self._records.note(curves.MEMORY, self.seen.step, now, float(used))

    def _finish_at(self, job: Job, step: int, total: int | None) -> float | None:
        """When the last step will be done; by what the bar says where there are no records yet."""
        if not total or not step:
            return job.finish_at
        at_step, at_time = self.seen.at or (step, time.time())
        left = self._clock.left(total - at_step)
        if left is None and self.seen.seconds_per_step:
            left = (total - step) * self.seen.seconds_per_step
            at_time = time.time()
        if left is None:
            return job.finish_at
        # Not before now; and not written anew for every second that it is off.
        found = max(time.time(), at_time + left)
        if job.finish_at is not None and abs(found - job.finish_at) < max(2.0, 0.01 * left):
            return job.finish_at
        return round(found)

    def _merge(self, told: Progress) -> None:
        seen = self.seen
        if told.step is not None:
            seen.step = told.step + self._offset()
        if told.batches_per_epoch is not None:
            self._correct(math.ceil(told.batches_per_epoch / self._accumulation))
        if told.loss is not None:
            bad = not math.isfinite(told.loss)
            seen.nan_in_a_row = seen.nan_in_a_row + 1 if bad else 0
            seen.loss = told.loss
        if seen.step is not None and told.step is not None and told.loss is not None:
            self._records.tell(seen.step, told.loss, told.learning_rate)
        seen.learning_rate = told.learning_rate or seen.learning_rate
        seen.seconds_per_step = told.seconds_per_step or seen.seconds_per_step
        seen.phase = told.phase or seen.phase
        if told.removed is not None:
            self._removed.append(told.removed.replace("\\", "/").rpartition("/")[2])

    def _correct(self, steps_per_epoch: int) -> None:
        """The engine counted its batches: the planned numbers follow its figure."""
        self.seen.steps_per_epoch = steps_per_epoch
        if self._epochs:
            self.seen.total = self._epochs * steps_per_epoch
        if self._start_epoch:
            self._start_step = self._start_epoch * steps_per_epoch
            self._records.step_offset = self._offset()

    def write(self, job: Job, attempt: Attempt) -> None:
        """Put what changed on the job and the attempt, and tell what the engine removed."""
        self.write_progress(job, attempt)
        self.tell_removed(job)

    def write_progress(self, job: Job, attempt: Attempt) -> None:
        """Put what changed on the job and the attempt; nothing is written when nothing did."""
        seen = self.seen
        wanted: dict[str, Any] = {
            "step": seen.step if seen.step is not None else job.step,
            "total_steps": seen.total or job.total_steps,
            "loss": seen.loss if seen.loss is not None else job.loss,
            "learning_rate": seen.learning_rate or job.learning_rate,
            "seconds_per_step": (
                self._clock.seconds_per_step or seen.seconds_per_step or job.seconds_per_step
            ),
            "phase": str(seen.phase or job.phase or ""),
        }
        wanted["finish_at"] = self._finish_at(job, wanted["step"], wanted["total_steps"])
        # What is no number is told as none: SQLite keeps it so, and it never equals itself.
        told = {key: None if value != value else value for key, value in wanted.items()}
        new = {key: value for key, value in told.items() if getattr(job, key) != value}
        of_attempt: dict[str, Any] = {}
        if self._log.offset != attempt.log_offset:
            # Written with the job, in one transaction: each waits for the disk.
            of_attempt = {
                "log_offset": self._log.offset,
                "last_step": wanted["step"],
                "steps_per_epoch": seen.steps_per_epoch,
                "start_step": self._start_step,
            }
            new["last_output"] = time.time()
        if new:
            progress.write(job, attempt, new, of_attempt)

    def tell_removed(self, job: Job) -> None:
        """Never silent: a checkpoint that is gone is told, and why."""
        for name in self._removed:
            store.note(job, f"the engine removed {name}: only the newest {self._keep} are kept")
        self._removed.clear()


def _interval(document: dict[str, Any]) -> int | None:
    """Steps between two planned pauses, for samples or saves; None where there are none."""
    sampling, saving = document.get("sampling") or {}, document.get("saving") or {}
    steps = [saving.get("every_steps"), sampling.get("prompts") and sampling.get("every_steps")]
    return min((int(count) for count in steps if count), default=None)
