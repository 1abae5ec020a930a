"""What a running job costs the database each second, and that nothing is overlooked for it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.db import db
from app.jobs import progress, service, store
from app.jobs.states import JobState
from app.platform import current
from tests.support.statements import counted
from tests.support.supervised import running


@pytest.fixture
def app(supervised):
    return supervised


@pytest.fixture
def log(app, document):
    """The log of a job that runs, and is followed."""
    path = service.run_dir(running(document)).attempt(1).log
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"num batches per epoch / x: 4\n")
    current().supervisor.tick()
    return path


class Looking:
    """A watcher that counts its looks."""

    looks = 0

    def tick(self):
        self.looks += 1


@pytest.fixture
def watcher(log):
    found = Looking()
    current().watchers = [found]
    # What the start of the job set going is over.
    current().supervisor._round(rung=True)
    return found


def step(log, number):
    with log.open("ab") as file:
        file.write(b"steps:  25%%|##   | %d/8 [00:01<00:03, 2.00it/s, avr_loss=0.5]\r" % number)


def quiet_round():
    """A second in which nobody rang, in a context of its own as the supervisor's thread has it."""
    db.session.remove()
    with counted() as statements:
        current().supervisor._round(rung=False)
    return statements


def test_a_step_is_one_statement_read_and_two_written_and_the_rest_of_the_round_waits(log, watcher):
    looked = watcher.looks
    for number in (1, 2, 3):
        step(log, number)
        words = [statement.split()[0] for statement in quiet_round()]
        assert words == ["SELECT", "UPDATE", "UPDATE", "COMMIT"]
        assert (store.get(1).step, store.get(1).loss) == (number, 0.5)
    assert [statement.split()[0] for statement in quiet_round()] == ["SELECT"]
    assert watcher.looks == looked


def test_whatever_somebody_else_commits_has_the_whole_round_done(log, watcher):
    looked = watcher.looks
    step(log, 1)
    store.remember("something", "new")
    quiet_round()
    assert (watcher.looks, store.get(1).step) == (looked + 1, 1)


def test_a_loss_that_is_no_number_still_stops_the_run_in_a_quiet_round(log, watcher):
    with log.open("ab") as file:
        for number in range(1, current().settings.nan_readings + 1):
            file.write(b"steps:  25%%|##   | %d/8 [00:01<00:03, 2.00it/s, avr_loss=nan]\r" % number)
    quiet_round()
    assert store.get(1).status is JobState.STOPPING


def test_what_was_written_stands_on_the_objects_and_in_the_rows_with_a_new_version(log):
    [(job, attempt)] = progress.followed()
    before = job.version
    progress.write(job, attempt, {"step": 5, "loss": 0.25}, {"log_offset": 77, "last_step": 5})
    with counted() as statements:
        assert (job.step, job.loss, attempt.log_offset, job.name) == (5, 0.25, 77, "dog")
    assert statements == []
    row = db.session.execute(text("SELECT step, loss, phase, version FROM job")).one()
    assert tuple(row) == (5, 0.25, job.phase, before + 1)
    assert db.session.execute(text("SELECT last_step FROM attempt")).scalar() == 5
    # A commit after that has the objects read anew again, as everywhere.
    store.change(job, step=6)
    assert (job.step, job.version, attempt.last_step) == (6, before + 2, 5)


def test_the_state_is_no_progress(log):
    [(job, attempt)] = progress.followed()
    with pytest.raises(ValueError, match="state"):
        progress.write(job, attempt, {"state": "failed"}, {})


def test_active_jobs_come_with_their_newest_attempt_and_those_asleep_only_when_they_run(
    log, document
):
    other = service.submit({**document, "name": "cat"})
    store.move(other, JobState.STARTING, attempt=2)
    store.open_attempt(other, number=1)
    newest = store.open_attempt(other, number=2)
    assert [(j.id, a and a.id) for j, a in progress.followed()] == [(1, 1), (other.id, newest.id)]
    assert [j.id for j, _ in progress.followed({1, other.id})] == [1]
    assert progress.followed({other.id, 99}) != ()


def test_a_loss_that_is_no_number_is_written_once_not_each_second(log, watcher):
    """SQLite keeps no such number: the row says that there is none."""
    with log.open("ab") as file:
        file.write(b"steps:  25%|##   | 2/8 [00:01<00:03, 2.00it/s, avr_loss=nan]\r")
    quiet_round()
    version = store.get(1).version
    quiet_round()
    quiet_round()
    assert store.get(1).version == version
