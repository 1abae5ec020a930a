"""What fails on the way loses nothing: full disks, errors of our own, a stop in the wrong moment."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess

import pytest

from app.artifacts.verify import verify_in_child
from app.errors import NotFoundError
from app.jobs import launching, points, retention, service, settling, store
from app.jobs.executor import Lost
from app.jobs.executor_local import LocalExecutor
from app.jobs.rundir import ExitRecord, RunDir, write_json_atomic
from app.jobs.series import Sample, Series
from app.jobs.states import JobState
from app.platform import current
from engines.adapter import ENGINES
from tests.support.supervised import end, running, tick_until, write_lora

S = JobState


@contextlib.contextmanager
def no_file_over(size):
    """Writes stop at so many bytes, in the middle of a write as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def app(supervised):
    return supervised


def point(step):
    return points.Point(1, step, float(step), 0.5, 1e-4)


def test_a_full_disk_leaves_no_half_row_among_the_metrics(tmp_path):
    path = tmp_path / "metrics.csv"
    points.append_points(path, [point(1)])
    before = path.read_bytes()
    with no_file_over(len(before) + 10), pytest.raises(OSError, match="No space left"):
        points.append_points(path, [point(2), point(3)])
    assert path.read_bytes() == before
    points.append_points(path, [point(2)])
    assert [p.step for p in points.read_points(path)] == [1, 2]


def test_a_full_disk_leaves_no_half_point_in_a_curve(tmp_path):
    series = Series(tmp_path / "loss")
    series.append([Sample(1, 1, 1.0, 0.5)])
    (file,) = tmp_path.glob("loss*")
    before = file.read_bytes()
    with no_file_over(len(before) + 7), pytest.raises(OSError, match="No space left"):
        series.append([Sample(2, 1, 2.0, 0.5)])
    assert file.read_bytes() == before


def test_a_full_disk_keeps_the_record_that_was_there(tmp_path):
    path = tmp_path / "launch.json"
    write_json_atomic(path, {"pid": 7})
    with no_file_over(5), pytest.raises(OSError, match="File too large"):
        write_json_atomic(path, {"pid": 8})
    assert '"pid": 7' in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_half_a_copy_of_a_pinned_file_is_taken_for_none(tmp_path):
    source, target = tmp_path / "dog.safetensors", tmp_path / "kept.safetensors"
    source.write_bytes(bytes(4096))
    with no_file_over(1000), pytest.raises(OSError, match="File too large"):
        retention.copy(source, target)
    assert list(tmp_path.iterdir()) == [source]


def test_a_lora_that_cannot_be_checked_in_time_is_no_success(tmp_path, monkeypatch):
    def slow(*words, **more):
        raise subprocess.TimeoutExpired("verify", 1)

    monkeypatch.setattr(subprocess, "run", slow)
    verdict = verify_in_child(tmp_path / "dog.safetensors", timeout=1)
    assert not verdict.ok
    assert "could not be checked within 1 s" in verdict.sentence


def test_an_error_of_our_own_while_a_job_is_prepared_fails_the_job_and_says_so(
    app, document, monkeypatch
):
    def broken(*words, **more):
        raise LookupError("a mistake of ours")

    job = service.submit(document, hold=True)
    monkeypatch.setattr(launching.planning, "plan", broken)
    service.release(job)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    job = store.get(job.id)
    assert (job.status, job.attempts[0].outcome) == (S.FAILED, "failed")
    assert "An error of this program: LookupError: a mistake of ours." in job.reason
    assert current().executor.started == []


def test_a_stop_while_the_job_is_prepared_starts_no_trainer(app, document, monkeypatch):
    write = launching._write_actions

    def stopped_meanwhile(folder, plan):
        write(folder, plan)
        service.stop(store.get(1))

    monkeypatch.setattr(launching, "_write_actions", stopped_meanwhile)
    service.submit(document)
    tick_until(lambda: store.get(1).status.is_final, "final")
    job = store.get(1)
    assert (job.status, job.reason) == (S.CANCELLED, "stopped before the trainer was started")
    assert (job.wish, job.attempts[0].outcome) == ("", "cancelled")
    assert current().executor.started == []


def test_a_watcher_that_breaks_stops_neither_the_others_nor_the_queue(app, document):
    seen = []

    class Broken:
        def tick(self):
            raise RuntimeError("this watcher is broken")

    class Whole:
        def tick(self):
            seen.append(1)

    current().watchers[:] = [Broken(), Whole()]
    assert running(document).status is S.RUNNING
    assert seen


def test_exit_0_beside_a_lora_of_an_earlier_attempt_is_a_failure(app, document):
    job = running(document)
    old = service.run_dir(job).output / "dog.safetensors"
    write_lora(old)
    os.utime(old, (1000, 1000))
    job = end(job, lora=False)
    assert job.status is S.FAILED
    assert "dog.safetensors is older than this attempt, so none was written" in job.reason


def test_a_trainer_that_could_not_be_started_says_so_whatever_lies_there(app):
    record = ExitRecord(
        code=127, signal=None, started=None, ended=2.0, error="could not start python"
    )
    evidence = settling.Evidence(record, "", "a log of before", ENGINES["kohya_ss"])
    found = settling.judge(S.RUNNING, evidence)
    assert (found.state, found.reason) == (S.FAILED, "could not start python")
    assert settling.judge(S.RUNNING, evidence, "the disk is full").reason == "the disk is full"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"code": "x"}'])
def test_torn_records_of_a_run_end_in_lost_and_never_in_a_success(tmp_path, text):
    attempt = RunDir(tmp_path).attempt(1)
    attempt.root.mkdir(parents=True)
    attempt.exit.write_text(text)
    executor = LocalExecutor("/bin/true", tmp_path / "run_job.py")
    assert executor.poll(attempt) == Lost()
    attempt.launch.write_text(text)
    assert executor.end_leftovers(attempt) == 0


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
def test_a_pin_is_a_copy_where_a_file_cannot_have_two_names(app, document, monkeypatch, number):
    job = running(document)
    write_lora(service.run_dir(job).output / "dog-000001.safetensors")

    def refused(*words):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(retention.os, "link", refused)
    kept = retention.pin(job, "dog-000001.safetensors")
    assert kept.read_bytes() == (kept.parents[1] / kept.name).read_bytes()
    assert kept.parent.name == "kept"


def test_a_pin_that_fails_or_comes_too_late_leaves_nothing_that_looks_pinned(
    app, document, monkeypatch
):
    job = running(document)
    made = service.run_dir(job).output / "dog-000001.safetensors"
    write_lora(made)

    def gone(source, target):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))

    with monkeypatch.context() as patch:
        patch.setattr(retention.os, "link", gone)
        with pytest.raises(NotFoundError, match="has just removed it"):
            retention.pin(job, made.name)
    with monkeypatch.context() as patch:
        patch.setattr(
            retention.os, "link", lambda *w: (_ for _ in ()).throw(PermissionError(13, "no"))
        )
        with pytest.raises(PermissionError):
            retention.pin(job, made.name)
    assert list((made.parent / "kept").iterdir()) == []
