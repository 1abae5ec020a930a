"""What people ask for, also in the very moment in which something else happens to the job."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from app.errors import ConflictError, UserError
from app.jobs import describing, service, store
from app.jobs.states import JobState as S
from app.platform import current
from tests.support.supervised import end, running, tick_until


@pytest.fixture
def app(supervised):
    return supervised


def as_another_request(app, act):
    """In a session of its own, as the supervisor or another tab has one."""
    with app.app_context():
        act(store.get(1))


def test_a_job_that_is_cancelled_before_it_starts_is_over_at_that_moment(app, document):
    job = service.submit(document, hold=True)
    store.change(job, phase="waits for the installation of kohya_ss")
    service.stop(job)
    job = store.get(job.id)
    assert job.finished is not None
    assert job.phase == ""


def test_a_stop_in_the_moment_of_the_start_stops_what_was_started(app, document):
    job = service.submit(document, hold=True)
    as_another_request(app, lambda job: store.move(job, S.STARTING, attempt=1))
    service.stop(job, save=True)
    job = store.get(1)
    assert (job.status, job.wish) == (S.STOPPING, "save-and-stop")


def test_an_order_that_comes_after_a_stop_does_not_replace_it(app, document):
    job = running({**document, "engine": "kohya_ss"})
    store.change(job, engine="ai-toolkit")
    as_another_request(app, lambda job: service.stop(job, save=True))
    with pytest.raises(ConflictError, match="is stopping"):
        service.order(job, "save-now")
    assert store.get(job.id).wish == "save-and-stop"


def test_a_hold_that_comes_too_late_is_refused_and_holds_no_later_attempt(app, document):
    job = service.submit(document)
    as_another_request(app, lambda job: store.move(job, S.STARTING, attempt=1))
    with pytest.raises(ConflictError, match="is starting; only a queued job"):
        service.hold(job)
    assert not store.get(job.id).held


def test_an_order_of_an_attempt_that_was_interrupted_is_not_given_to_the_next(app, document):
    from app.jobs.executor import Lost

    job = running(document)
    store.change(job, wish="save-now")
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    tick_until(lambda: store.get(job.id).attempt == 2, "a second attempt")
    assert store.get(job.id).wish == ""
    assert not [e for e in store.events(job.id) if "cannot save" in e.reason]


def test_run_next_comes_first_also_where_others_have_the_highest_priority(app, document):
    first = service.submit(document, hold=True)
    service.set_priority(first, service.HIGHEST_PRIORITY)
    service.release(first)
    second = service.submit({**document, "name": "cat"}, hold=True)
    service.run_next(second)
    assert [job.id for job in store.launchable(2e10)] == [second.id, first.id]


def test_a_spec_that_could_not_be_written_with_its_job_is_written_when_it_starts(
    app, document, monkeypatch
):
    """The job is queued, and whoever asked for it is not told that it failed."""

    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(given[0]))

    with monkeypatch.context() as patch:
        patch.setattr(service.Path, "write_text", full)
        job = service.submit(document)
    assert not service.run_dir(job).spec.exists()
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")
    assert "name: dog" in service.run_dir(job).spec.read_text()


def test_what_of_a_deleted_job_stays_on_the_disk_is_told(app, document, monkeypatch):
    job = end(running(document))
    folder = service.run_dir(job).root

    def stuck(path, onexc=None, onerror=None, ignore_errors=False):
        if not ignore_errors:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    monkeypatch.setattr(shutil, "rmtree", stuck)
    with pytest.raises(UserError, match="a part of it could not be removed"):
        service.delete(job)
    assert store.counts() == {}
    assert not folder.exists()


def test_a_folder_whose_deletion_was_cut_off_is_removed_at_the_next_start(app):
    left = current().settings.jobs_dir / ".deleted-7"
    (left / "output").mkdir(parents=True)
    (left / "output" / "big.safetensors").write_bytes(bytes(100))
    tick_until(lambda: not left.exists(), "the folder is gone")


def test_numbers_that_json_does_not_know_are_left_out(app, document):
    job = running(document)
    store.change(job, loss=float("inf"))
    assert describing.as_json(store.get(job.id))["loss"] is None
