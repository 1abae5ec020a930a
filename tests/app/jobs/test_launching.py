"""What may go wrong around a start, and never leaves a trainer that nobody knows of."""

from __future__ import annotations

import shutil

import pytest

from app.errors import InvalidSpecError
from app.gpu import Gpu
from app.jobs import launching, service, store
from app.jobs.executor import AttemptTakenError, RunnerStartError
from app.jobs.executor_local import LocalExecutor
from app.jobs.rundir import AttemptDir, Launch
from app.jobs.states import JobState as S
from app.platform import current
from engines.base import Refusal, UnsupportedError
from engines.sections.table import MOST_STEPS
from tests.support.platform import FakeGpus
from tests.support.supervised import end, running, tick_until


@pytest.fixture
def app(supervised):
    return supervised


def test_a_torn_run_card_of_before_neither_fails_a_job_nor_leaves_its_trainer_alone(app, document):
    job = service.submit(document, hold=True)
    service.run_dir(job).run_card.write_text("{")
    service.release(job)
    over = (S.RUNNING, S.FAILED)
    tick_until(lambda: store.get(job.id).status in over, "running, or failed")
    job = store.get(job.id)
    assert (job.status, job.reason) == (S.RUNNING, "")
    assert len(current().executor.started) == 1
    assert '"command"' in service.run_dir(job).run_card.read_text()


def test_where_the_run_card_cannot_be_written_nothing_is_started(app, document, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device", "run-card.json")

    monkeypatch.setattr(launching.runcard, "write_json_atomic", full)
    service.submit(document)
    tick_until(lambda: store.get(1).status.is_final, "final")
    assert "run-card.json could not be used: No space left" in store.get(1).reason
    assert current().executor.started == []


def test_an_attempt_cut_short_before_its_first_save_begins_again_with_the_weights_it_was_given(
    app, document
):
    first = end(running(document))
    given = service.run_dir(first).output / "dog.safetensors"
    job = running({**document, "name": "cat", "resume": {"from": first.id}})
    config = service.run_dir(job).native / "config.toml"
    assert str(given) in config.read_text()
    # It drew a sample and wrote no state when it was cut off.
    sample = service.run_dir(job).output / "sample" / "cat_000000_00_20260101000000.png"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(b"png")
    job = end(job, code=1, lora=False)
    service.retry(job)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running again")
    assert str(given) in config.read_text()


def test_a_run_is_never_continued_beyond_what_a_spec_may_ask_for(app, document):
    job = end(running(document))
    with pytest.raises(service.UserError, match="at most"):
        service.extend(job, MOST_STEPS)
    assert store.get(job.id).status is S.SUCCEEDED
    service.extend(job, MOST_STEPS - job.total_steps)
    assert launching.lengthened(store.get(job.id)).length.steps == MOST_STEPS


def test_a_thread_that_cannot_be_had_leaves_the_job_to_the_next_round(app, document, monkeypatch):
    import threading

    supervisor = current().supervisor
    service.submit(document)

    def refused(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        supervisor._launch_queued()
    assert store.get(1).status is S.STARTING
    assert supervisor.tasks == ()
    tick_until(lambda: store.get(1).status is S.RUNNING, "it runs after all")


def test_a_queued_job_that_cannot_be_read_keeps_no_other_from_starting(app, document):
    current().gpus = FakeGpus(Gpu(0, "u0", "Test", 24_000_000_000))
    poisoned = service.submit(document)
    store.change(poisoned, document="{")
    second = service.submit({**document, "name": "cat"})
    tick_until(lambda: store.get(second.id).status is S.RUNNING, "the second runs")


def test_a_job_that_waits_for_a_gpu_that_is_not_here_says_so(app, document):
    current().gpus = FakeGpus(Gpu(0, "u0", "Test", 24_000_000_000))
    chosen = service.submit(document, gpu="1")
    several = service.submit({**document, "name": "cat"})
    store.change(several, document=several.document.replace('"gpus": 1', '"gpus": 2'))
    current().supervisor.tick()
    assert store.get(chosen.id).phase == "waits for GPU 1, which jobs cannot have here"
    assert store.get(several.id).phase == "waits for 2 GPUs; jobs can have 1 here"
    current().gpus = FakeGpus(
        Gpu(0, "u0", "Test", 24_000_000_000), Gpu(1, "u1", "Test", 24_000_000_000)
    )
    tick_until(lambda: store.get(chosen.id).status is S.RUNNING, "it runs on the GPU that came")


def test_while_the_disk_of_the_jobs_is_away_nothing_starts_in_its_place(app, document):
    service.submit(document)
    jobs = current().settings.jobs_dir
    jobs.rename(jobs.with_name("away"))
    current().supervisor.tick()
    assert store.counts() == {"queued": 1}
    assert "is not there. Mount its disk" in store.fact("held")
    with pytest.raises(InvalidSpecError, match="Mount its disk"):
        service.submit({**document, "name": "cat"})
    assert not jobs.exists()
    jobs.with_name("away").rename(jobs)
    tick_until(lambda: store.get(1).status is S.RUNNING, "running")
    assert store.fact("held") == ""


def test_a_job_whose_start_was_deleted_while_it_waited_does_not_begin_with_nothing(app, document):
    job = service.submit(
        {**document, "name": "cat", "resume": {"from": end(running(document)).id}}, hold=True
    )
    service.delete(store.get(1))
    service.release(job)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    job = store.get(job.id)
    assert job.status is S.FAILED
    assert "Job 1 has written no LoRA to start from." in job.reason


def test_a_finished_run_that_is_continued_goes_on_also_where_attempts_start_anew(app, document):
    """The spec says "never" of interruptions; "Continue for" is a wish of its own."""
    job = end(running({**document, "resume": "never"}))
    service.extend(job, 8)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")
    assert (service.run_dir(job).output / "dog.safetensors").is_file()
    job = end(store.get(job.id), code=1, lora=False)
    assert not [e for e in job.events if "was moved" in e.reason]


def test_a_retry_of_a_job_that_starts_anew_does_not_say_that_it_goes_on(app, document):
    job = end(running({**document, "resume": "never"}), code=1)
    service.retry(job)
    assert store.get(job.id).reason == "tried again from the start"
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")
    assert [e for e in store.get(job.id).events if "was moved" in e.reason]


def failed(document, meanwhile):
    """The reason of a job that was queued, then waited while ``meanwhile`` came over it."""
    job = service.submit(document, hold=True)
    meanwhile(job)
    service.release(job)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    job = store.get(job.id)
    assert (job.status, job.attempts[0].outcome) == (S.FAILED, "failed")
    assert current().executor.started == []
    return job.reason


def test_a_model_that_went_away_while_the_job_waited_is_told_and_nothing_starts(
    app, document, tmp_path
):
    gone = failed(document, lambda _job: shutil.rmtree(tmp_path / "model"))
    assert str(tmp_path / "model") in gone


def test_a_job_of_an_engine_that_this_version_lacks_says_so(app, document):
    reason = failed(document, lambda job: store.change(job, engine="old-trainer"))
    assert "old-trainer" in reason


def test_what_an_upgraded_engine_cannot_do_any_more_is_told_by_its_field(
    app, document, monkeypatch
):
    def refused(*_given):
        raise UnsupportedError("kohya_ss", [Refusal("network.type", "it lost lokr")])

    told = failed(document, lambda _job: monkeypatch.setattr(launching.planning, "plan", refused))
    assert told.startswith("kohya_ss cannot do this: ")
    assert "it lost lokr" in told


def test_a_folder_in_which_nothing_can_be_made_is_told_and_an_attempt_runs_once(tmp_path):
    executor = LocalExecutor("python", tmp_path / "run_job.py")
    launch = Launch(1, 1, ("true",), str(tmp_path), "mark")
    (tmp_path / "attempts").write_text("a file in its place")
    with pytest.raises(RunnerStartError):
        executor.start(AttemptDir(tmp_path / "attempts" / "1"), launch, {})
    ran = AttemptDir(tmp_path / "2")
    ran.root.mkdir()
    ran.exit.write_text("{}")
    with pytest.raises(AttemptTakenError):
        executor.start(ran, launch, {})
    assert not ran.launch.exists()
