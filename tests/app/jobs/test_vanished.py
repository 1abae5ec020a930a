"""Runs that vanish: queued again, given up at last, and never taken for two."""

from __future__ import annotations

import threading

import pytest

from app.jobs import ending, progress, service, store
from app.jobs.executor import Lost, Running
from app.jobs.executor_local import LocalExecutor
from app.jobs.rundir import RunDir
from app.jobs.states import JobState as S
from app.platform import current
from tests.support.supervised import running, tick_until


@pytest.fixture
def app(supervised):
    return supervised


def test_a_vanished_run_goes_back_to_the_queue_and_starts_again_at_once(app, document):
    job = running(document)
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    tick_until(lambda: store.get(job.id).attempt == 2, "a second attempt")
    job = store.get(job.id)
    assert [a.outcome for a in job.attempts] == ["interrupted", "running"]
    assert job.interruptions == 1


def test_a_row_that_was_read_while_its_job_was_being_settled_is_not_believed(
    app, document, monkeypatch
):
    job, supervisor = running(document), current().supervisor
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    read, launched = threading.Event(), threading.Event()
    settle, followed = ending.interrupted, progress.followed
    gates = iter([read, launched])

    def late_settle(*given):
        next(gates).wait(10)
        settle(*given)

    monkeypatch.setattr(ending, "interrupted", late_settle)
    supervisor.tick()

    def early_rows(*given):
        rows = followed(*given)
        read.set()
        for thread in supervisor.tasks:
            thread.join(10)
        return rows

    monkeypatch.setattr(progress, "followed", early_rows)
    supervisor.tick()
    launched.set()
    monkeypatch.setattr(progress, "followed", followed)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "it runs again")
    assert store.get(job.id).interruptions == 1


def test_a_run_that_keeps_vanishing_is_failed_past_the_limit(app, document):
    job = running(document)
    store.change(job, interruptions=5)
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    job = store.get(job.id)
    assert job.status is S.FAILED
    assert "MAX_INTERRUPTIONS" in job.reason


@pytest.mark.parametrize(("begun", "counts"), [(0, 3), (8, 2)])
def test_on_a_cluster_only_what_was_saved_is_progress(app, document, begun, counts):
    """Steps that are lost with their attempt would else keep a job going for ever."""
    job = running(document)
    store.change(job, interruptions=2)
    first = store.attempt_of(job)
    store.change_attempt(first, outcome="interrupted", ended=1.0, last_step=9)
    store.change(job, attempt=2)
    store.change_attempt(
        store.open_attempt(job, number=2, executor="local"), start_step=begun, last_step=begun + 9
    )
    gone = Lost("the node n1 failed")
    ending.interrupted(current(), job.id, service.run_dir(job).attempt(2), gone)
    assert store.get(job.id).interruptions == counts


def test_a_vanished_run_that_was_to_be_stopped_is_cancelled_not_queued(app, document):
    job = running(document)
    service.stop(job)
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    assert store.get(job.id).status is S.CANCELLED


def test_a_stop_that_cancels_a_job_in_slurm_does_not_blame_an_administrator(app, document):
    job = running(document)
    service.stop(job)
    gone = Lost("it was cancelled in Slurm, not by this program", then="cancelled")
    current().executor.status[service.run_dir(job).attempt(1).root] = gone
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    (attempt,) = store.get(job.id).attempts
    assert (store.get(job.id).reason, attempt.outcome, attempt.reason) == (
        "stopped",
        "cancelled",
        "stopped",
    )


def test_a_folder_that_was_taken_away_ends_its_run_and_one_that_is_out_of_sight_does_not(tmp_path):
    executor = LocalExecutor("/bin/true", tmp_path / "run_job.py")
    jobs = tmp_path / "data" / "jobs"
    attempt = RunDir(jobs / "7").attempt(1)
    attempt.root.mkdir(parents=True)
    assert executor.poll(attempt) == Lost()
    jobs.rename(tmp_path / "elsewhere")
    away = executor.poll(attempt)
    assert isinstance(away, Running)
    assert f"{jobs} is not there: mount its disk" in away.waiting
    jobs.mkdir()
    gone = executor.poll(attempt)
    assert isinstance(gone, Lost)
    assert (gone.then, gone.why) == ("failed", f"its run directory {attempt.root} is gone")
    assert executor.end_leftovers(attempt) == 0
