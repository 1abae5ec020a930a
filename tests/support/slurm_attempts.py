"""Attempts on a fake Slurm: what the dashboard and the runner would have written of them."""

from __future__ import annotations

import os
import time

from app.jobs.executor_rounds import Rounds
from app.jobs.rundir import ExitRecord, Launch, read_json, write_json_atomic

MARKER = "7.1." + "ab" * 16
NUMBER = 101


class InlineRounds(Rounds):
    """The real questions and actions, at once and in the test's own thread."""

    def look(self):
        self._ask()
        return self.snapshot

    def after(self, key, action):
        self._do(action)


def launch(**more):
    words = {"job_id": 7, "attempt": 1, "argv": ("/x/python", "train.py"), "cwd": "/x",
             "marker": MARKER, "ask": {"gpus": 2}, **more}  # fmt: skip
    return Launch(**words)


def start(executor, attempt, **more):
    executor.start(attempt, launch(**more), {"HF_TOKEN": "hf_abcdef", "X": "1"})


def begin(attempt):
    """What the runner writes when the trainer runs."""
    data = read_json(attempt.launch)
    me = {"pid": 1, "start_time": 1}
    write_json_atomic(attempt.launch, {**data, "runner": me, "trainer": me})


def end(attempt, **more):
    now = time.time()
    record = {"code": 0, "signal": None, "started": now - 9, "ended": now, **more}
    write_json_atomic(attempt.exit, ExitRecord(**record).to_json())


def long_ago(attempt, executor):
    """As if it had been released an hour ago."""
    os.utime(attempt.root / "slurm-released", (0, time.time() - 3600))
    executor._handing._released.clear()
