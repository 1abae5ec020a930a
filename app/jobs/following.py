"""Follows one running attempt: its log and the engine's records become progress on the job."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass

from app.jobs import store
from app.jobs.logtail import Follower
from app.jobs.metrics import Recorder
from app.jobs.rundir import RunDir
from app.models import Attempt, Job
from engines.base import Engine, Phase, Progress

BYTES_AT_ONCE = 4 << 20


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


class Following:
    """The reader of one attempt. Lives in the supervisor's thread."""

    def __init__(self, job: Job, attempt: Attempt, run: RunDir, engine: Engine) -> None:
        self.number = attempt.number
        self._engine = engine
        self._accumulation = int(json.loads(job.document)["batch"]["gradient_accumulation"])
        self._start_step = attempt.start_step
        self._start_epoch = attempt.start_epoch
        self._epochs = attempt.epochs
        folder = run.attempt(attempt.number)
        self._log = Follower(folder.log, attempt.log_offset)
        self._records = Recorder(
            run, engine.name, attempt=attempt.number, step_offset=self._offset()
        )
        self.seen = Seen(steps_per_epoch=attempt.steps_per_epoch)

    def _offset(self) -> int:
        return self._start_step if self._engine.counts_from_attempt else 0

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
            if point.step is not None and (self.seen.step is None or point.step >= self.seen.step):
                self.seen.step = point.step
            if point.loss is not None:
                self.seen.loss = point.loss
            if point.learning_rate is not None:
                self.seen.learning_rate = point.learning_rate

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
        seen.learning_rate = told.learning_rate or seen.learning_rate
        seen.seconds_per_step = told.seconds_per_step or seen.seconds_per_step
        seen.phase = told.phase or seen.phase

    def _correct(self, steps_per_epoch: int) -> None:
        """The engine counted its batches: the planned numbers follow its figure."""
        self.seen.steps_per_epoch = steps_per_epoch
        if self._epochs:
            self.seen.total = self._epochs * steps_per_epoch
        if self._start_epoch:
            self._start_step = self._start_epoch * steps_per_epoch
            self._records.step_offset = self._offset()

    def write(self, job: Job, attempt: Attempt) -> None:
        """Put what changed on the job and the attempt; nothing is written when nothing did."""
        seen = self.seen
        wanted = {
            "step": seen.step if seen.step is not None else job.step,
            "total_steps": seen.total or job.total_steps,
            "loss": seen.loss if seen.loss is not None else job.loss,
            "learning_rate": seen.learning_rate or job.learning_rate,
            "seconds_per_step": seen.seconds_per_step or job.seconds_per_step,
            "phase": str(seen.phase or job.phase or ""),
        }
        new = {key: value for key, value in wanted.items() if not _same(getattr(job, key), value)}
        if self._log.offset != attempt.log_offset:
            store.change_attempt(
                attempt,
                log_offset=self._log.offset,
                last_step=wanted["step"],
                steps_per_epoch=seen.steps_per_epoch,
                start_step=self._start_step,
            )
            new["last_output"] = time.time()
        if new:
            store.change(job, **new)


def _same(old: object, new: object) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return old == new
