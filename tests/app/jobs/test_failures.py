"""What fails on the way loses nothing: full disks, errors of our own, a stop in the wrong moment."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess

import pytest

from app.artifacts.verify import verify_in_child
from app.jobs import launching, points, retention, service, store
from app.jobs.rundir import write_json_atomic
from app.jobs.series import Sample, Series
from app.jobs.states import JobState
from app.platform import current
from tests.support.supervised import running, tick_until

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
