"""Guards: disk, numbers, silence, floods."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from types import SimpleNamespace

import pytest

from app.errors import ConflictError, UserError
from app.gpu import Gpu
from app.jobs import guards, launching, logcap, orders, service, slots, store
from app.jobs.rundir import write_json_atomic
from app.jobs.states import JobState
from app.platform import current
from engines.spec import JobSpec
from tests.support.platform import FakeGpus, make_app

S = JobState
SPEC = JobSpec.model_validate(
    {
        "name": "dog",
        "family": "sd15",
        "base_model": "a/b",
        "datasets": [{"path": "d"}],
        "length": {"steps": 9},
    }
)


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path, {"STALL_MINUTES": "10", "NAN_READINGS": "3"})
    with app.app_context():
        yield app


def add(engine="kohya_ss", **columns):
    return store.add(
        name="dog", family="sd15", engine=engine, document=SPEC.model_dump_json(), **columns
    )


def running(engine="kohya_ss"):
    job = add(engine)
    store.move(job, S.STARTING, attempt=1, last_output=time.time())
    store.open_attempt(job, number=1)
    store.move(job, S.RUNNING)
    return job


def watch(job, nan=0):
    following = SimpleNamespace(seen=SimpleNamespace(nan_in_a_row=nan))
    guards.watch(current(), job, following, service.run_dir(job).attempt(1))
    return store.get(job.id)


def test_a_loss_that_is_no_number_for_several_readings_ends_the_run(app):
    job = running()
    assert watch(job, nan=2).status is S.RUNNING
    job = watch(job, nan=3)
    assert (job.status, job.wish, job.cause) == (S.STOPPING, "guard", "nan")
    assert "not a number 3 times" in job.reason


def test_a_disk_that_fills_ends_the_run_before_a_write_fails(tmp_path):
    app = make_app(tmp_path / "full", {"DISK_HARD_GB": "1000000"})
    with app.app_context():
        job = watch(running())
        assert job.status is S.STOPPING
        assert "DISK_HARD_GB" in job.reason


def test_with_little_disk_no_job_starts_and_the_page_says_why(tmp_path):
    app = make_app(tmp_path / "full", {"DISK_SOFT_GB": "1000000"})
    with app.app_context():
        add()
        current().supervisor.tick()
        assert store.counts() == {"queued": 1}
        assert "DISK_SOFT_GB" in store.fact("held")


def test_the_notice_of_a_full_disk_goes_with_its_reason_though_no_job_waits_any_more(app):
    with app.app_context():
        store.remember("held", "Only 0.1 GB of disk are free")
        current().supervisor.tick()
        assert store.fact("held") == ""


def test_a_silent_run_is_flagged_with_its_phase_and_the_flag_goes_when_it_writes(app):
    job = running()
    store.change(job, last_output=time.time() - 3600, phase="caching")
    assert watch(job).stalled
    assert "while caching" in store.get(job.id).events[-1].reason
    store.change(job, last_output=time.time())
    assert not watch(job).stalled


def test_a_flooded_log_gives_back_its_middle_and_keeps_its_offsets(app):
    job = running()
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_bytes(b"first\n" + b"x" * 30_000_000 + b"\nlast\n")
    size = log.stat().st_size
    logcap.keep_small(job, log, 10_000_000)
    stat = log.stat()
    if stat.st_blocks * 512 >= size:
        pytest.skip("this file system punches no holes")
    assert stat.st_size == size
    assert stat.st_blocks * 512 < 10_000_000
    data = log.read_bytes()
    assert data.startswith(b"first\n")
    assert data.endswith(b"\nlast\n")
    assert "LOG_CAP_MB" in store.get(job.id).events[-1].reason
    events = len(store.get(job.id).events)
    logcap.keep_small(job, log, 10_000_000)
    assert len(store.get(job.id).events) == events


def gpu(index, **values):
    return Gpu(index, f"u{index}", "Test", 24_000_000_000, **values)


def test_a_gpu_runs_one_job_and_a_busy_lost_or_excluded_one_runs_none(tmp_path):
    app = make_app(tmp_path / "gpus", {"GPUS": "0,1,2,3"})
    with app.app_context():
        current().gpus = FakeGpus(
            gpu(0), gpu(1, memory_used=9_000_000_000), gpu(2, usable=False), gpu(3), gpu(4)
        )
        holder = add()
        store.move(holder, S.STARTING, gpus="0")
        free = slots.Slots.now(current(), [holder])
        assert free.take(add()) == (3,)
        assert free.take(add()) is None


def test_a_job_waits_for_the_gpu_that_was_chosen_for_it(app):
    current().gpus = FakeGpus(gpu(0), gpu(1))
    holder = add()
    store.move(holder, S.STARTING, gpus="1")
    free = slots.Slots.now(current(), [holder])
    assert free.take(add(gpu_choice="1")) is None
    assert free.take(add()) == (0,)


def test_save_now_is_written_once_into_the_table_the_trainer_reads(app, tmp_path):
    job = running("ai-toolkit")
    table = tmp_path / "control.db"
    with sqlite3.connect(table) as connection:
        connection.execute("CREATE TABLE Job (id TEXT, save_now INTEGER DEFAULT 0)")
        connection.execute("INSERT INTO Job (id) VALUES ('1')")
    connection.close()
    folder = service.run_dir(job).attempt(1)
    folder.root.mkdir(parents=True)
    step = {"kind": "sqlite", "path": str(table), "statement": "UPDATE Job SET save_now = 1 WHERE id = ?",
            "parameters": ["1"], "until": None, "grace": 0}  # fmt: skip
    write_json_atomic(folder.root / launching.ACTIONS, {"save_now": [step]})
    service.order(job, "save-now")
    orders.give(store.get(job.id), folder)
    connection = sqlite3.connect(table)
    assert connection.execute("SELECT save_now FROM Job").fetchone() == (1,)
    connection.close()
    assert store.get(job.id).wish == ""


@pytest.mark.parametrize(("there", "told"), [(True, "asked to save now"), (False, "could not be")])
def test_an_order_waits_for_a_busy_table_and_is_given_up_where_the_table_is_gone(
    app, tmp_path, monkeypatch, there, told
):
    monkeypatch.setattr(orders, "PATIENCE_SECONDS", 0.0)
    job, table = running("ai-toolkit"), tmp_path / "100 % of #1.db"
    step = {"path": str(table), "statement": "UPDATE Job SET save_now = 1", "parameters": []}
    folder = service.run_dir(job).attempt(1)
    folder.root.mkdir(parents=True)
    write_json_atomic(folder.root / launching.ACTIONS, {"save_now": [step]})
    service.order(job, "save-now")
    if there:
        with contextlib.closing(sqlite3.connect(table, isolation_level=None)) as trainer:
            trainer.execute("CREATE TABLE Job (save_now INTEGER DEFAULT 0)")
            trainer.execute("INSERT INTO Job DEFAULT VALUES")
            trainer.execute("BEGIN EXCLUSIVE")
            orders.give(store.get(job.id), folder)
            assert store.get(job.id).wish == "save-now"
            trainer.execute("COMMIT")
    orders.give(store.get(job.id), folder)
    assert store.get(job.id).wish == ""
    assert told in store.events(job.id)[-1].reason
    assert table.exists() is there


def test_an_engine_that_takes_no_orders_says_why(app):
    with pytest.raises(ConflictError, match="by epochs only"):
        service.order(running("kohya_ss"), "save-now")


def test_run_next_puts_a_job_before_all_others(app):
    first, second = add(), add(held=True)
    service.run_next(second)
    assert [j.id for j in store.launchable(time.time())] == [second.id, first.id]


def test_only_a_finished_run_is_continued_and_its_spec_stays_as_it_was(app):
    job = running()
    with pytest.raises(ConflictError, match="only a finished run"):
        service.extend(job, 5)
    store.move(job, S.SUCCEEDED, total_steps=9, step=9)
    with pytest.raises(UserError, match="from 1 to 10\u202f000\u202f000"):
        service.extend(job, 0)
    before = job.document
    service.extend(job, 6)
    job = store.get(job.id)
    assert (job.state, job.target_steps, job.document) == ("queued", 15, before)
    # Another attempt of the longer run is no longer still.
    store.change(job, total_steps=15)
    assert launching.lengthened(store.get(job.id)).length.steps == 15


def test_punching_where_nothing_is_to_remove_changes_nothing(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"abc")
    assert logcap.punch(path, 2, 2) == 0
    assert os.stat(path).st_size == 3


def test_the_trainer_gets_the_servers_environment_less_secrets_it_does_not_need():
    plan = SimpleNamespace(env={"PYTHONUNBUFFERED": "1"})
    server = {
        "PATH": "/bin", "HF_TOKEN": "h", "AUTH_TOKEN": "a", "CONTAINER_API_KEY": "c", "WEB_PASSWORD": "w",
        "AWS_SECRET_ACCESS_KEY": "s", "TOKENIZERS_PARALLELISM": "false", "DATABASE_URL": "d",
    }  # fmt: skip
    found = launching.environment(server, plan)
    assert found == {
        "PATH": "/bin", "HF_TOKEN": "h", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def test_a_log_whose_cap_is_below_what_is_always_kept_tells_it_once(app):
    job = running()
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 3_000_000)
    if not logcap.punch(log, 0, 1_000_000):
        pytest.skip("this file system punches no holes")
    log.write_bytes(b"x" * 3_000_000)
    before = len(store.get(job.id).events)
    for _ in range(3):
        logcap.keep_small(job, log, 1_000_000)
    assert len(store.get(job.id).events) <= before + 1


def test_a_log_that_cannot_be_made_smaller_is_told_once_not_each_second(app, monkeypatch, caplog):
    job = running()
    log = service.run_dir(job).attempt(1).log
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 30_000_000)
    monkeypatch.setattr(logcap, "_PUNCH_HOLE_KEEP_SIZE", 0x7FFFFFFF)
    for _ in range(3):
        logcap.keep_small(job, log, 10_000_000)
    assert len(caplog.records) == 1
