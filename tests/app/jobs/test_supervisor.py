"""The supervisor with a fake executor: every life a run can have, tick by tick."""

from __future__ import annotations

import logging

import pytest

from app.jobs import guards, orders, report, service, store
from app.jobs.executor import Running
from app.jobs.states import JobState
from app.jobs.supervisor import HURRY_FOR, HURRY_SECONDS, TICK_SECONDS, Supervisor
from app.platform import current
from tests.support.supervised import end, running, tick_until

S = JobState


@pytest.fixture
def app(supervised):
    return supervised


def test_a_submitted_job_starts_by_itself_with_its_native_files(app, document):
    job = running(document)
    attempt, launch, environment = current().executor.started[0]
    assert (job.attempt, launch.job_id, attempt.root.name) == (1, job.id, "1")
    assert launch.argv[1].endswith("train_network.py")
    assert (service.run_dir(job).native / "config.toml").is_file()
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert [e.new for e in job.events if e.new] == ["queued", "starting", "running"]


def test_a_run_just_started_or_told_to_stop_is_looked_at_more_often_for_some_seconds(app, document):
    supervisor = current().supervisor
    assert supervisor.pause == TICK_SECONDS
    job = running(document)
    assert supervisor.pause == HURRY_SECONDS
    supervisor._hurry -= HURRY_FOR
    assert supervisor.pause == TICK_SECONDS
    service.stop(job)
    supervisor.tick()
    assert supervisor.pause == HURRY_SECONDS


def test_a_machine_without_gpus_runs_one_job_at_a_time(app, document):
    first = running(document)
    second = service.submit({**document, "name": "cat"})
    current().supervisor.tick()
    assert store.get(second.id).status is S.QUEUED
    end(first)
    tick_until(lambda: store.get(second.id).status is S.RUNNING, "the second runs")


def test_a_finished_run_with_a_sound_lora_succeeded(app, document):
    job = end(running(document))
    assert (job.status, job.reason) == (S.SUCCEEDED, "")
    assert job.attempts[0].outcome == "succeeded"
    assert job.finished is not None


def test_exit_0_without_a_lora_is_a_failure(app, document):
    job = end(running(document), lora=False)
    assert job.status is S.FAILED
    assert "no LoRA was written" in job.reason


def test_exit_0_with_a_lora_that_holds_no_numbers_is_a_failure(app, document):
    job = end(running(document), nan=True)
    assert job.status is S.FAILED
    assert "dog.safetensors" in job.reason


def test_a_trainer_that_died_shows_its_code_and_never_succeeded(app, document):
    job = running(document)
    service.run_dir(job).attempt(1).log.write_text("Traceback\nValueError: bad thing\n")
    job = end(job, code=3)
    assert job.status is S.FAILED
    assert "exited with code 3" in job.reason
    assert "bad thing" in job.reason


def test_a_killed_trainer_shows_its_signal(app, document):
    job = end(running(document), signal="SIGKILL", lora=False)
    assert job.status is S.FAILED
    assert "SIGKILL" in job.reason


def test_a_stop_is_passed_on_once_and_shown_as_stopping_until_the_exit_is_seen(app, document):
    job = running(document)
    service.stop(job)
    current().supervisor.tick()
    current().supervisor.tick()
    assert store.get(job.id).status is S.STOPPING
    assert {wish for _, wish in current().executor.stopped} == {"stop"}
    job = end(store.get(job.id), signal="SIGINT", lora=False)
    assert (job.status, job.attempts[0].outcome) == (S.CANCELLED, "cancelled")


def test_a_stop_that_came_too_late_is_a_success(app, document):
    job = running(document)
    service.stop(job)
    assert end(store.get(job.id)).status is S.SUCCEEDED


def test_a_queued_job_is_cancelled_at_once(app, document):
    job = service.submit(document, hold=True)
    service.stop(job)
    assert store.get(job.id).status is S.CANCELLED


def test_a_dataset_that_went_missing_while_queued_fails_with_a_sentence(app, document, data):
    job = service.submit(document, hold=True)
    data.rename(data.with_name("elsewhere"))
    service.release(job)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    job = store.get(job.id)
    assert job.status is S.FAILED
    assert str(data) in job.reason
    assert current().executor.started == []


def test_a_held_job_waits_until_it_is_released(app, document):
    job = service.submit(document, hold=True)
    current().supervisor.tick()
    assert store.get(job.id).status is S.QUEUED
    service.release(job)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")


def test_a_paused_queue_starts_nothing(app, document):
    service.pause_queue()
    job = service.submit(document)
    current().supervisor.tick()
    assert store.get(job.id).status is S.QUEUED
    service.resume_queue()
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")


def test_a_poisoned_job_does_not_stop_the_queue(app, document):
    poisoned = running(document)
    executor = current().executor
    root = service.run_dir(poisoned).attempt(1).root
    original = executor.poll

    def poll(attempt):
        if attempt.root == root:
            raise RuntimeError("poisoned")
        return original(attempt)

    executor.poll = poll
    current().supervisor.tick()
    store.change(store.get(poisoned.id), gpus="")
    executor.poll = original
    assert isinstance(executor.poll(service.run_dir(poisoned).attempt(1)), Running)
    assert end(store.get(poisoned.id)).status is S.SUCCEEDED


def test_a_round_that_fails_is_logged_and_the_next_one_starts_afresh(app, document, monkeypatch):
    supervisor = current().supervisor
    rounds = iter([RuntimeError("the first round"), None])

    def tick():
        if (error := next(rounds)) is not None:
            raise error
        supervisor._quit.set()
        service.wake()  # nobody waits for a third

    monkeypatch.setattr(supervisor, "tick", tick)
    logging.getLogger("app.jobs.supervisor").setLevel(logging.CRITICAL)
    service.submit(document)  # rings
    supervisor._bell.wait(0)
    service.wake()
    supervisor._run()
    assert supervisor.last_tick is not None
    assert list(rounds) == []
    supervisor.quit()


def test_a_second_copy_on_the_same_data_does_nothing_until_the_first_is_gone(app):
    first, second = current().supervisor, Supervisor(current())
    assert first._take_lock()
    assert not second._take_lock()
    assert (first.is_first, second.is_first) == (True, False)
    first.quit()
    assert second._take_lock()
    second.quit()


def test_progress_of_the_log_reaches_the_row(app, document):
    job = running(document)
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(
        b"num batches per epoch / x: 4\nsteps:  25%|##   | 2/8 [00:01<00:03,  2.00it/s, avr_loss=0.5]\r"
    )
    current().supervisor.tick()
    job = store.get(job.id)
    assert (job.step, job.loss) == (2, 0.5)


def test_a_retry_makes_a_new_attempt_and_keeps_the_old_ones_record(app, document):
    job = end(running(document), code=1, lora=False)
    service.retry(job)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running again")
    job = store.get(job.id)
    assert [a.outcome for a in job.attempts] == ["failed", "running"]


def test_a_fresh_retry_moves_what_was_written_out_of_the_engines_sight(app, document):
    job = end(running(document))
    service.retry(job, resume=False)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running again")
    run = service.run_dir(job)
    assert not (run.output / "dog.safetensors").exists()
    assert (run.attempt(1).root / "output" / "dog.safetensors").is_file()


def test_a_job_that_starts_as_it_is_being_deleted_stays(app, document):
    from app.errors import ConflictError

    job = service.submit(document)
    assert job.status is S.QUEUED  # as a request read it
    with app.app_context():
        store.move(store.get(1), S.STARTING)
    with pytest.raises(ConflictError, match="Job 1 is starting"):
        service.delete(job)
    assert service.run_dir(1).spec.is_file()


def test_an_active_job_cannot_be_deleted_and_a_final_one_takes_its_folder_along(app, document):
    from app.errors import ConflictError

    job = running(document)
    with pytest.raises(ConflictError, match="Stop it first"):
        service.delete(job)
    job = end(job)
    root = service.run_dir(job).root
    service.delete(job)
    assert not root.exists()


def test_an_order_that_cannot_be_given_yet_does_not_stop_the_guards(app, document, monkeypatch):
    job = running(document)
    watched = []
    monkeypatch.setattr(orders, "give", lambda job, folder: None)  # the trainer's table is busy
    monkeypatch.setattr(guards, "watch", lambda *given: watched.append(given))
    store.change(job, wish="save-now")
    current().supervisor.tick()
    assert store.get(job.id).wish == "save-now"
    assert watched


def test_a_job_that_never_came_to_its_start_has_a_report_too(app, document, data):
    job = service.submit(document, hold=True)
    data.rename(data.with_name("elsewhere"))
    service.release(job)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    report.start(store.get(job.id))
    current().tasks.run_all()
    assert "Upload the pictures there" in service.run_dir(job).report.read_text()
