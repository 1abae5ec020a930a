"""The status of a job on its page."""

from __future__ import annotations

import re
import time

import pytest

from app.jobs import service, store
from app.jobs.states import JobState
from tests.support.finished import finished_job
from tests.web.test_pages import write_lora


def test_what_a_job_took_is_the_time_of_its_attempts_and_not_what_lay_between(client, job):
    store.move(job, JobState.STARTING, attempt=1)
    first = store.open_attempt(job, number=1)
    store.change_attempt(first, started=1_000.0, ended=1_060.0)
    again = store.open_attempt(job, number=2)
    store.change_attempt(again, started=90_000.0, ended=90_030.0)
    store.move(job, JobState.FAILED, "the GPU ran out of memory")
    store.change(job, started=1_000.0, finished=90_030.0)
    assert "<dt>Took</dt><dd>1 min 30 s</dd>" in client.get("/jobs/1/status").text


@pytest.mark.parametrize(
    ("phase", "seconds", "told"),
    [
        ("training", 40.5, "40 s ends"), ("training", 0.0, "–"), ("sampling", 30.0, "– known after sampling"),
        ("saving", -5.0, "– known after saving"), ("sampling", 600.5, "10 min 00 s ends"),
    ],
)  # fmt: skip
def test_time_left_is_never_told_as_nothing_while_a_pause_goes_on(
    client, job, phase, seconds, told, monkeypatch
):
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    store.move(job, JobState.STARTING, attempt=1)
    store.move(job, JobState.RUNNING)
    store.change(job, phase=phase, finish_at=1_000.0 + seconds)
    page = client.get("/jobs/1/status").text
    shown = page.partition("<dt>Time left</dt>")[2].partition("</div>")[0]
    assert " ".join(re.sub("<.*?>", " ", shown).split()).startswith(told)


def test_a_stop_says_what_is_lost_and_where_a_retry_would_begin(client, job):
    for state in (JobState.STARTING, JobState.RUNNING):
        store.move(job, state, attempt=1)
    store.open_attempt(job, number=1, gpus="0")
    store.change(job, step=14, total_steps=40)
    page = " ".join(client.get("/jobs/1/stop").text.split())
    assert "<strong>all 14 steps</strong> would be lost, since nothing is saved yet" in page
    assert "Retry begins anew." in page
    write_lora(service.run_dir(job).output / "dog-step00000010.safetensors", {})
    page = " ".join(client.get("/jobs/1/stop").text.split())
    assert "<strong>the last 4 steps</strong> since the newest save would be lost" in page
    assert "Retry goes on from the newest save." in page


def test_before_the_first_step_a_page_that_nothing_redraws_tells_a_time_not_how_long_ago(
    client, job
):
    assert "s ago" not in poll_region(client.get("/jobs/1").text)
    for state in (JobState.STARTING, JobState.RUNNING):
        store.move(job, state, attempt=1)
    store.open_attempt(job, number=1, gpus="0")
    assert "ago" not in poll_region(client.get("/jobs/1").text)
    store.change(job, step=3)
    assert "ago" in poll_region(client.get("/jobs/1").text)


def poll_region(page):
    """The status of a job's page, in which spaces of an "ago" do not break."""
    return page.partition('id="job-status"')[2].partition("</section>")[0].replace("\u00a0", " ")


def test_a_job_that_succeeded_offers_its_lora_beside_its_name(app, client):
    offer = re.compile(r'<a class="button main" href="([^"]*)">(?:(?!</a>).)*Download<')
    with app.app_context():
        made = finished_job(app, name="dog")
        finished_job(app, JobState.FAILED, name="cat")
        output = service.run_dir(made).output
    shown = client.get("/jobs/1").text
    assert offer.search(shown)[1] == "/jobs/1/files/dog.safetensors"
    assert client.get("/jobs/1/files/dog.safetensors", buffered=True).status_code == 200
    assert not offer.search(client.get("/jobs/2/status").text)
    (output / "dog.safetensors").unlink()
    assert not offer.search(client.get("/jobs/1/status").text)
