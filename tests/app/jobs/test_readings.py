"""What the companion of the runner wrote on another machine is read from its last whole line."""

from __future__ import annotations

import json
import time

import pytest

from app.jobs import readings, store, telemetry
from app.jobs.states import JobState
from app.platform import EXTENSION
from tests.support.platform import make_app

GPU = {
    "index": 0, "name": "NVIDIA A100-SXM4-80GB", "memory_total": 80 << 30, "memory_used": 30 << 30,
    "utilisation": 97, "temperature": 61, "power": 312.45,
}  # fmt: skip
ROW = {
    "at": 1000.0, "node": "gpu7", "gpus": [GPU], "cpu": 12, "cpus": 32, "memory_used": 5 << 30,
    "memory_total": 64 << 30, "peak": 41 << 30,
}  # fmt: skip


def write(folder, *rows, name="gpu.jsonl", tail=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)


def test_the_newest_line_counts(tmp_path):
    write(tmp_path, *[{**ROW, "at": float(n)} for n in range(500)])
    found = readings.latest(tmp_path)
    assert (found.at, found.node, found.peak) == (499.0, "gpu7", 41 << 30)
    assert found.gpus[0].power == 312.45
    assert found.is_old


def test_what_a_card_does_not_tell_is_not_told(tmp_path):
    write(tmp_path, {**ROW, "gpus": [{**GPU, "power": None, "utilisation": None}]})
    gpu = readings.latest(tmp_path).gpus[0]
    assert (gpu.power, gpu.utilisation, gpu.temperature) == (None, None, 61)


@pytest.mark.parametrize("tail", ['{"at": 2', "null\n", '{"at": 1}\n', "\x00\x00\n", "[]\n"])
def test_a_line_that_is_cut_off_or_odd_leaves_the_one_before(tmp_path, tail):
    write(tmp_path, ROW, tail=tail)
    assert readings.latest(tmp_path).at == 1000.0


def test_just_after_a_full_file_was_set_aside_its_last_line_still_counts(tmp_path):
    write(tmp_path, ROW, name="gpu.jsonl.1")
    assert readings.latest(tmp_path).at == 1000.0
    write(tmp_path, {**ROW, "at": 2000.0})
    assert readings.latest(tmp_path).at == 2000.0


def test_a_folder_without_readings_has_none(tmp_path):
    assert readings.latest(tmp_path) is None
    assert readings.latest(tmp_path / "gone") is None


def test_the_peak_of_a_remote_job_is_remembered_though_nobody_looked_when_it_was(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        job = store.add(name="dog", family="sd15", engine="kohya_ss", document="{}")
        store.move(job, JobState.STARTING, attempt=1)
        attempt = store.open_attempt(job, number=1, executor="slurm")
        platform = app.extensions[EXTENSION]
        assert telemetry.note_peak(platform, job, attempt) == 0
        write(platform.settings.jobs_dir / "1/attempts/1", {**ROW, "at": time.time()})
        assert telemetry.note_peak(platform, job, attempt) == 30 << 30
        assert attempt.peak_vram == 41 << 30
