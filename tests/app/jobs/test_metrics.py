"""Loss and learning rate come from the engines' own records, each step of an attempt once."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

from app.jobs import curves, metrics
from app.jobs.metrics import Recorder
from app.jobs.points import Point, append_points, read_points
from app.jobs.rundir import Launch, RunDir, write_json_atomic
from app.jobs.series import Series
from tests.support.records import LossDatabase, event, event_file, step_events

REPLAY = Path(__file__).parents[2] / "replay"


@pytest.fixture
def run(tmp_path):
    made = RunDir(tmp_path)
    made.output.mkdir()
    return made


def started(run, attempt, at):
    """What the runner leaves when it starts the trainer."""
    folder = run.attempt(attempt)
    folder.root.mkdir(parents=True, exist_ok=True)
    launch = Launch(1, attempt, ("x",), "/", "marker", started=at)
    write_json_atomic(folder.launch, launch.to_json())


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def steps(points):
    return [point.step for point in points]


# kohya_ss: TensorBoard events


def test_a_step_is_told_once_it_is_complete_and_the_last_one_at_the_end(run):
    recorder = Recorder(run, "kohya_ss", attempt=1)
    assert recorder.collect() == []
    path = event_file(run.root, 1)
    data = step_events(1, 0.5) + step_events(2, 0.25)
    append(path, data[:-10])
    assert steps(recorder.collect()) == [1]
    append(path, data[-10:])
    assert recorder.collect() == []
    (last,) = recorder.flush()
    assert (last.step, last.loss) == (2, 0.25)
    assert last.learning_rate == pytest.approx(1e-4)
    assert steps(read_points(run.metrics)) == [1, 2]


def test_records_on_a_disk_that_gives_nothing_back_end_the_reading_at_the_end(run, monkeypatch):
    path = event_file(run.root, 1)
    append(path, bytes(2 * metrics.MOST_BYTES))
    recorder = Recorder(run, "kohya_ss", attempt=1)
    looks = []

    def broken(self, *words, **more):
        if self == path:
            looks.append(self)
            assert len(looks) < 10, "it is read again and again"
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return real(self, *words, **more)

    real = Path.open
    monkeypatch.setattr(Path, "open", broken)
    assert recorder.flush() == []


def test_the_rate_told_is_that_of_the_unet_and_the_one_that_prodigy_found(run):
    rates = {"lr/textencoder": 5e-5, "lr/unet": 1.0, "lr/d*lr/unet": 2e-6, "lr/group1": 1.0}
    for step in (1, 2):
        for tag, rate in rates.items():
            append(event_file(run.root, 1), event(step, tag, rate))
    found = Recorder(run, "kohya_ss", attempt=1).collect()
    assert [point.learning_rate for point in found] == [pytest.approx(2e-6)]


def test_a_resumed_attempt_goes_on_counting_and_redone_steps_stand_apart(run):
    append(event_file(run.root, 1), b"".join(step_events(n, 1.0) for n in range(1, 6)))
    Recorder(run, "kohya_ss", attempt=1).flush()
    append(event_file(run.root, 2), b"".join(step_events(n, 2.0) for n in range(1, 4)))
    Recorder(run, "kohya_ss", attempt=2, step_offset=3).flush()
    points = list(read_points(run.metrics))
    assert [(p.attempt, p.step) for p in points] == [
        (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 4), (2, 5), (2, 6),
    ]  # fmt: skip


def test_a_recorder_that_is_made_anew_repeats_nothing(run):
    path = event_file(run.root, 1)
    append(path, b"".join(step_events(n, 1.0) for n in range(1, 100)))
    first = Recorder(run, "kohya_ss", attempt=1)
    assert len(first.collect()) == 98
    append(path, step_events(100, 1.0))
    assert steps(Recorder(run, "kohya_ss", attempt=1).flush()) == [99, 100]
    assert steps(read_points(run.metrics)) == list(range(1, 101))


def test_curves_that_were_half_written_when_the_disk_was_full_get_each_point_once(run, monkeypatch):
    recorder = Recorder(run, "kohya_ss", attempt=1)
    append(event_file(run.root, 1), step_events(1, 0.5) + step_events(2, 0.5))
    recorder.collect()
    write = Series.append

    def full_after_the_loss(self, rows):
        if "loss" not in self._path.name:
            raise OSError(28, "No space left on device")
        write(self, rows)

    append(event_file(run.root, 1), step_events(3, 0.5))
    with monkeypatch.context() as patch:
        patch.setattr(Series, "append", full_after_the_loss)
        assert steps(recorder.collect()) == [2]
    recorder.flush()
    found = curves.Curves(run.curves)
    for name in (curves.LOSS, curves.RATE):
        assert steps(found.series(name).last(9)) == [1, 2, 3]


def test_a_loss_that_is_no_number_stays_one_that_is_none(run):
    append(event_file(run.root, 1), step_events(1, math.nan) + step_events(2, math.inf))
    losses = [p.loss for p in Recorder(run, "kohya_ss", attempt=1).flush()]
    assert math.isnan(losses[0])
    assert [str(p.loss) for p in read_points(run.metrics)] == ["nan", "inf"]


def test_a_long_record_is_read_in_bounded_pieces_and_whole_at_the_end(run, monkeypatch):
    monkeypatch.setattr(metrics, "MOST_BYTES", 5000)
    append(event_file(run.root, 1), b"".join(step_events(n, 1.0) for n in range(1, 1001)))
    recorder = Recorder(run, "kohya_ss", attempt=1)
    assert 0 < len(recorder.collect()) < 50
    recorder.flush()
    assert steps(read_points(run.metrics)) == list(range(1, 1001))


@pytest.mark.parametrize(
    "garbage",
    [bytes(500), b"\xff" * 500, struct.pack("<Q", 40) + b"\x09\x80" * 40, step_events(9, 1)[:-30]],
)
def test_a_broken_event_file_is_no_reason_to_fail(run, monkeypatch, garbage):
    monkeypatch.setattr(metrics, "MOST_BYTES", 400)
    path = event_file(run.root, 1)
    append(path, step_events(1, 0.5))
    recorder = Recorder(run, "kohya_ss", attempt=1)
    recorder.collect()
    append(path, garbage)
    assert steps(recorder.collect() + recorder.flush())[0] == 1


def test_the_events_of_a_real_run_are_read(run):
    source = REPLAY / "kohya_ss" / "events.raw"
    shutil.copy(source, event_file(run.root, 1))
    points = Recorder(run, "kohya_ss", attempt=1).flush()
    assert steps(points) == list(range(1, 49))
    assert all(p.loss is not None and math.isfinite(p.loss) for p in points)
    assert all(p.learning_rate is not None for p in points)
    assert points[0].time < points[-1].time


# ai-toolkit: the loss database


def test_rows_of_the_loss_database_are_points(run):
    started(run, 1, 1000.0)
    database = LossDatabase(run.output)
    recorder = Recorder(run, "ai-toolkit", attempt=1)
    assert recorder.collect() == []
    database.write(range(1, 4), time=1000)
    assert steps(recorder.collect()) == [2, 3, 4]
    database.write(range(4, 6), time=1000)
    assert recorder.collect() == [
        Point(1, 5, 1004.0, 0.5, 1e-4),
        Point(1, 6, 1005.0, 0.5, 1e-4),
    ]
    assert recorder.flush() == []


def test_a_second_attempt_takes_neither_old_rows_nor_steps_it_will_do_again(run):
    started(run, 1, 1000.0)
    database = LossDatabase(run.output)
    database.write(range(1, 10), time=1000)
    Recorder(run, "ai-toolkit", attempt=1).flush()
    started(run, 2, 5000.0)
    second = Recorder(run, "ai-toolkit", attempt=2)
    assert second.collect() == []
    database.prune(after=4)
    database.write(range(5, 8), time=5000, loss=0.75)
    assert [(p.step, p.loss) for p in second.collect()] == [(6, 0.75), (7, 0.75), (8, 0.75)]
    assert [p.attempt for p in read_points(run.metrics)] == [1] * 9 + [2] * 3


def test_before_the_trainer_is_started_no_row_can_be_its_own(run):
    LossDatabase(run.output).write(range(1, 10), time=1000)
    started(run, 2, None)
    assert Recorder(run, "ai-toolkit", attempt=2).collect() == []


def test_a_locked_or_broken_database_is_read_later(run):
    started(run, 1, 1000.0)
    database = LossDatabase(run.output)
    database.write(range(1, 4), time=1000)
    recorder = Recorder(run, "ai-toolkit", attempt=1)
    with contextlib.closing(sqlite3.connect(database.path)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        assert recorder.collect() == []
    assert len(recorder.collect()) == 3
    database.path.write_bytes(b"this is no database at all, not even a little" * 100)
    assert recorder.collect() == []


def test_the_database_of_a_real_run_is_read_without_a_trace(run):
    folder = run.output / "ok"
    folder.mkdir(parents=True)
    shutil.copy(REPLAY / "ai_toolkit" / "loss_log.db", folder / "loss_log.db")
    points = Recorder(run, "ai-toolkit", attempt=1).flush()
    assert steps(points) == list(range(2, 13))
    assert all(p.loss is not None and p.learning_rate == 1e-4 for p in points)


# the file


def test_points_come_back_as_they_were_written(tmp_path):
    points = [Point(1, n, 1000.5 + n, 1.1810358762741089 / n, None) for n in range(1, 2000)]
    path = tmp_path / "metrics.csv"
    append_points(path, points[:1000])
    append_points(path, points[1000:])
    assert list(read_points(path)) == points
    assert list(read_points(path, last=7)) == points[-7:]
    assert list(read_points(path, last=10_000)) == points
    assert list(read_points(path, last=0)) == []
    assert path.read_text().startswith("attempt,step,time,loss,learning_rate\n1,1,")


def test_a_torn_last_row_is_left_out_and_spoils_no_later_one(tmp_path):
    path = tmp_path / "metrics.csv"
    append_points(path, [Point(1, 1, 1.0, 0.5, None)])
    append(path, b"1,2,2.0")
    assert steps(read_points(path)) == [1]
    append_points(path, [Point(1, 3, 3.0, 0.5, None)])
    assert steps(read_points(path)) == [1, 3]


def test_rows_that_cannot_be_read_are_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"x,y\n1,two,3,4,5\n\x00\x00\x00\n\xff\xfe,1,1,1,1\n1,2,3.0,,\n")
    assert list(read_points(path)) == [Point(1, 2, 3.0, None, None)]
    assert list(read_points(tmp_path / "none")) == []


def test_a_full_disk_delays_the_rows_and_stops_nothing(run, monkeypatch):
    path = event_file(run.root, 1)
    append(path, b"".join(step_events(n, 1.0) for n in range(1, 4)))
    recorder = Recorder(run, "kohya_ss", attempt=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(metrics, "append_points", full)
        assert steps(recorder.collect()) == [1, 2]
    assert not run.metrics.exists()
    append(path, step_events(4, 1.0))
    recorder.flush()
    assert steps(read_points(run.metrics)) == [1, 2, 3, 4]
