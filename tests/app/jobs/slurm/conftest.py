"""A Slurm executor on a fake cluster, with a clock of its own."""

from __future__ import annotations

import pytest

from app.jobs import executor_words
from app.jobs.executor_slurm import SlurmExecutor
from app.jobs.rundir import AttemptDir
from app.settings import ROOT
from app.slurm.settings import SlurmSettings
from tests.support.fake_slurm import FakeSlurm
from tests.support.slurm_attempts import InlineRounds


@pytest.fixture
def slurm():
    return FakeSlurm()


@pytest.fixture
def clock():
    """The clock of patience: ``clock.add(seconds)``."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

        def add(self, seconds):
            self.now += seconds

    return Clock()


@pytest.fixture
def make(tmp_path, slurm, clock):
    def make(settings=None):
        executor = SlurmExecutor(
            slurm, settings or SlurmSettings(), ROOT / "scripts/run_job.py", tmp_path
        )
        executor.rounds = InlineRounds(slurm, answered=executor._sweep)
        executor.words = executor_words.Words(30.0, clock)
        return executor

    return make


@pytest.fixture
def executor(make):
    return make()


@pytest.fixture
def attempt(tmp_path):
    folder = AttemptDir(tmp_path / "jobs/7/attempts/1")
    folder.root.mkdir(parents=True)
    return folder
