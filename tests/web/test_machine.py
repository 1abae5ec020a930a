"""The Machine page, and the strip beside a job."""

from __future__ import annotations

import json
import time

from app.gpu import Gpu
from app.jobs import store
from app.jobs.states import JobState
from app.machine import Host, MachineWatch, Snapshot
from app.platform import EXTENSION

HOST = Host(50.0, 2.0, 1, 2, 3, 4, None, None, None, None)


def test_the_page_shows_each_gpu_with_the_job_on_it(app, client, job):
    gpu = Gpu(0, "u", "FAKE card", 24 << 30, 6 << 30, 80, 71, 300.0, 1700, ((1, 6 << 30),))
    platform = app.extensions[EXTENSION]
    platform.machine = MachineWatch(lambda: Snapshot(0.0, (gpu,), HOST), lambda: 0.0)
    with app.app_context():
        found = store.get(1)
        store.move(found, JobState.STARTING, gpus="0", attempt=1)
    page = client.get("/machine").text
    assert "FAKE card" in page
    assert "1700 MHz" in page
    assert '<a href="/jobs/1">dog #1</a>' in page
    strip = client.get("/jobs/1/machine").text
    assert "71 °C" in strip
    assert "300 W" in strip


def test_the_strip_of_a_waiting_job_is_hidden_and_asks_so_that_it_appears_with_the_start(
    client, job
):
    strip = client.get("/jobs/1").text.partition('id="job-machine"')[2].partition(">")[0]
    assert 'hx-get="/jobs/1/machine"' in strip.split()
    assert strip.endswith(" hidden")


def test_a_job_on_another_machine_shows_that_machine(app, client, job):
    folder = app.extensions[EXTENSION].settings.jobs_dir / "1/attempts/1"
    folder.mkdir(parents=True)
    gpu = {
        "index": 0, "name": "NVIDIA A100-SXM4-80GB", "memory_total": 80 << 30,
        "memory_used": 30 << 30, "utilisation": 97, "temperature": 61, "power": None,
    }  # fmt: skip
    row = {"at": time.time(), "node": "gpu7", "gpus": [gpu], "cpu": 12, "cpus": 32}
    row.update(memory_used=5 << 30, memory_total=64 << 30, peak=30 << 30)
    (folder / "gpu.jsonl").write_text(json.dumps(row) + "\n")
    store.move(store.get(1), JobState.STARTING, attempt=1)
    store.open_attempt(store.get(1), number=1, executor="slurm")
    strip = client.get("/jobs/1/machine").text
    assert "gpu7" in strip
    assert "A100-SXM4-80GB" in strip
    assert "97 %" in strip
    assert "61 °C" in strip
    assert " W" not in strip
    assert "Disk free" not in strip
    poll = strip.partition('hx-get="')[2].partition('"')[0]
    assert client.get(poll).status_code == 204
    (folder / "gpu.jsonl").write_text(json.dumps({**row, "at": time.time() - 600}) + "\n")
    assert "nothing newer since" in client.get(poll).text


def test_until_the_other_machine_tells_something_the_strip_shows_none(app, client, job):
    store.move(store.get(1), JobState.STARTING, attempt=1)
    store.open_attempt(store.get(1), number=1, executor="slurm")
    assert client.get("/jobs/1/machine").status_code == 204
