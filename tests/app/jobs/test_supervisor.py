"""The supervisor with a fake executor: every life a run can have, tick by tick."""

from __future__ import annotations

import json
import struct
import threading
import time

import pytest

from app.jobs import ending, service, store
from app.jobs.executor import Ended, Lost, Running
from app.jobs.rundir import ExitRecord
from app.jobs.states import JobState
from app.platform import current
from tests.support.platform import make_app
from tests.support.wait import until

S = JobState


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    from PIL import Image

    for index in range(4):
        Image.new("RGB", (64, 64), (index * 40, 0, 0)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text("a shape")
    return folder


@pytest.fixture
def app(tmp_path, data):
    home = tmp_path / "sd-scripts"
    home.mkdir()
    (home / "train_network.py").write_text("")
    model = tmp_path / "model"
    (model / "unet").mkdir(parents=True)
    (model / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    app = make_app(tmp_path, {"KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": "/bin/true"})
    with app.app_context():
        yield app


@pytest.fixture
def document(tmp_path, data):
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(tmp_path / "model"),
        "datasets": [{"path": str(data), "resolution": [64]}], "length": {"steps": 8},
    }  # fmt: skip


def tick_until(condition, what):
    supervisor = current().supervisor

    def look():
        supervisor.tick()
        return condition()

    until(look, timeout=20, what=what)


def running(document):
    job = service.submit(document)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")
    return store.get(job.id)


def end(job, *, code=0, signal=None, lora=True, nan=False):
    folder = service.run_dir(job).attempt(job.attempt)
    if lora:
        write_lora(service.run_dir(job).output / "dog.safetensors", nan=nan)
    now = time.time()
    record = ExitRecord(code=None if signal else code, signal=signal, started=now - 60, ended=now)
    current().executor.status[folder.root] = Ended(record)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    return store.get(job.id)


def write_lora(path, nan=False):
    value = float("nan") if nan else 0.5
    names = ("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight")
    header, data = {}, b""
    for name, shape in zip(names, ([4, 8], [8, 4]), strict=True):
        block = struct.pack("<32f", *[value] * 32)
        header[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + 128],
        }
        data += block
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_a_submitted_job_starts_by_itself_with_its_native_files(app, document):
    job = running(document)
    attempt, launch, environment = current().executor.started[0]
    assert (job.attempt, launch.job_id, attempt.root.name) == (1, job.id, "1")
    assert launch.argv[1].endswith("train_network.py")
    assert (service.run_dir(job).native / "config.toml").is_file()
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert [e.new for e in job.events if e.new] == ["queued", "starting", "running"]


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
    settle, active = ending.interrupted, store.active
    gates = iter([read, launched])

    def late_settle(*given):
        next(gates).wait(10)
        settle(*given)

    monkeypatch.setattr(ending, "interrupted", late_settle)
    supervisor.tick()

    def early_rows(*given):
        rows = active(*given)
        read.set()
        for thread in supervisor.tasks:
            thread.join(10)
        return rows

    monkeypatch.setattr(store, "active", early_rows)
    supervisor.tick()
    launched.set()
    monkeypatch.setattr(store, "active", active)
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


def test_a_vanished_run_that_was_to_be_stopped_is_cancelled_not_queued(app, document):
    job = running(document)
    service.stop(job)
    current().executor.status[service.run_dir(job).attempt(1).root] = Lost()
    tick_until(lambda: store.get(job.id).status.is_final, "final")
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


def test_an_active_job_cannot_be_deleted_and_a_final_one_takes_its_folder_along(app, document):
    from app.errors import ConflictError

    job = running(document)
    with pytest.raises(ConflictError, match="Stop it first"):
        service.delete(job)
    job = end(job)
    root = service.run_dir(job).root
    service.delete(job)
    assert not root.exists()
