"""A job's status tells which of the other regions have news; those then ask, and nobody else does."""

from __future__ import annotations

import pytest

from app.jobs import service, store
from app.jobs.states import JobState
from app.web import news
from tests.support.artifacts import lora
from tests.support.polls import poll_of, polls


@pytest.fixture
def running(job):
    """A job under way whose page is open."""
    store.move(job, JobState.STARTING, attempt=1)
    store.move(job, JobState.RUNNING)
    service.run_dir(job).output.mkdir(parents=True, exist_ok=True)
    return job


def test_a_page_with_nothing_new_asks_for_its_status_alone(client, running):
    found = polls(client.get("/jobs/1").text)
    for region in ("outputs", "samples", "papers"):
        assert found[f"job-{region}"][1:] == (f"{region}-news", 30)
    answer = client.get(found["job-status"].address)
    assert (answer.status_code, answer.headers.get("HX-Trigger")) == (204, None)


def test_a_checkpoint_is_told_once_and_fetched_by_the_list_of_files(client, running):
    page = client.get("/jobs/1").text
    lora(service.run_dir(running).output / "dog-000001.safetensors")
    told = client.get(poll_of(page, "job-status"))
    assert (told.status_code, told.headers["HX-Trigger"]) == (200, "outputs-news")
    files = client.get(poll_of(page, "job-outputs"))
    assert "dog-000001.safetensors" in files.text
    again = client.get(poll_of(told.text, "job-status"))
    assert (again.status_code, again.headers.get("HX-Trigger")) == (204, None)


def test_a_page_of_an_older_program_is_told_of_everything(client, running):
    told = client.get("/jobs/1/status?v=1").headers["HX-Trigger"]
    assert told == "outputs-news, samples-news, papers-news, delivery-news"


def test_the_end_is_told_to_every_region_that_shows_it(client, running):
    page = client.get("/jobs/1").text
    store.move(running, JobState.FAILED, reason="it broke", finished=1.0)
    answer = client.get(poll_of(page, "job-status"))
    assert {"outputs-news", "samples-news", "papers-news"} <= {
        *answer.headers["HX-Trigger"].split(", ")
    }
    assert "hx-get" not in answer.text.split(">")[0]


def test_only_what_differs_is_told():
    drawn = {"outputs": "1", "samples": "1"}
    assert news.events(news.token(drawn), drawn) == ""
    assert news.events(news.token(drawn), {**drawn, "samples": "2"}) == "samples-news"
