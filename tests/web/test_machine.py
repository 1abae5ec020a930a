"""The Machine page, and the strip beside a job."""

from __future__ import annotations

import json
import time

from app.gpu import Gpu
from app.jobs import store
from app.jobs.states import JobState
from app.machine import Host, MachineWatch, Snapshot
from app.platform import EXTENSION
from tests.support.polls import poll_of

HOST = Host(50.0, 2.0, 1, 2, 3, 4, None, None, None, None)


def test_the_page_shows_each_gpu_with_the_job_on_it(app, client, job):
    gpu = Gpu(0, "u", "FAKE card", 24 << 30, 6 << 30, 80, 71, 300.0, 1700, ((1, 6 << 30),))
    platform = app.extensions[EXTENSION]
    platform.machine = MachineWatch(lambda: Snapshot(time.monotonic(), (gpu,), HOST))
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


def test_the_first_reading_tells_no_rate_rather_than_none_at_all(app, client):
    first = Host(None, 2.0, 1, 2, 3, 4, None, None, None, None)
    app.extensions[EXTENSION].machine = MachineWatch(lambda: Snapshot(time.monotonic(), (), first))
    page = client.get("/machine").text
    assert page.count("<strong>–</strong>") == 3
    assert "0 B/s" not in page


def test_the_strip_stands_there_from_the_queue_to_the_end_that_a_page_sees(app, client, job):
    def strip(page: str) -> str:
        return page.partition('id="job-machine"')[2].partition("</section>")[0]

    page = client.get("/jobs/1").text
    assert "Processor" in strip(page)
    poll = poll_of(page, "job-machine")
    app.extensions[EXTENSION].machine = MachineWatch(lambda: Snapshot(time.monotonic(), (), HOST))
    poll = poll_of(client.get(poll).text, "job-machine")
    assert client.get(poll).status_code == 204
    with app.app_context():
        store.move(store.get(1), JobState.CANCELLED)
    ended = client.get(poll).text
    assert "Processor" in ended
    assert "hx-get" not in ended
    assert strip(client.get("/jobs/1").text).partition(">")[0].endswith(" hidden")


def test_the_limit_of_the_cache_is_set_on_the_page_and_nonsense_is_refused(app, client):
    for text in ("", "0", "much"):
        answer = client.post("/machine/cache", data={"limit_gb": text})
        assert answer.status_code == 422
        assert "Give a number of gigabytes" in answer.text
    assert client.post("/machine/cache", data={"limit_gb": "2.5"}).status_code == 303
    app.extensions[EXTENSION].tasks.run_all()
    page = client.get("/machine").text
    assert 'value="2.5"' in page
    assert "in 0 files" in page


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
    poll = poll_of(strip, "job-machine")
    assert client.get(poll).status_code == 204
    (folder / "gpu.jsonl").write_text(json.dumps({**row, "at": time.time() - 600}) + "\n")
    assert "nothing newer since" in client.get(poll).text


def test_until_the_other_machine_tells_something_the_strip_shows_none(app, client, job):
    store.move(store.get(1), JobState.STARTING, attempt=1)
    store.open_attempt(store.get(1), number=1, executor="slurm")
    strip = client.get("/jobs/1/machine").text
    assert strip.partition(">")[0].endswith(" hidden")
    poll = poll_of(strip, "job-machine")
    assert client.get(poll).status_code == 204
