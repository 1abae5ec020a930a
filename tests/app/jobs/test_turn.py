"""What the page of a queued job says it waits for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.jobs import service, store, turn
from app.jobs.states import JobState
from app.platform import current
from engines import presets
from engines.spec import JobSpec
from tests.support.platform import FakeGpus, make_app
from tests.support.polls import poll_of


@dataclass(frozen=True)
class Card:
    index: int = 0
    memory_total: int = 24 << 30
    memory_used: int = 0
    usable: bool = True


@pytest.fixture
def app(tmp_path):
    return make_app(tmp_path)


@pytest.fixture
def platform(app):
    with app.app_context():
        yield current()


def add(name, **columns):
    asked = {"name": name, "family": "sd15", "base_model": "/b", "datasets": [{"path": "/d"}],
             "length": {"steps": 8}}  # fmt: skip
    document = JobSpec.model_validate(presets.complete(asked, gpu=True)).model_dump_json(
        by_alias=True
    )
    return store.add(name=name, family="sd15", engine="kohya_ss", document=document, **columns)


def begin(job, gpus=""):
    store.move(job, JobState.STARTING, attempt=1, gpus=gpus)
    store.open_attempt(job, number=1, gpus=gpus)
    return job


def test_a_job_whose_turn_it_is_waits_for_nothing(platform):
    assert turn.why_waiting(platform, add("dog")) == ""


def test_on_a_processor_it_waits_for_the_one_that_runs_and_those_before_it(platform):
    begin(add("first"))
    add("second")
    third = add("third")
    assert turn.why_waiting(platform, third) == (
        "It waits for the processor, which trains one job at a time. Now at work: first #1. "
        "Before it in the queue: 1."
    )
    assert "Before it" not in turn.why_waiting(platform, add("fourth", priority=5))


def test_with_cards_it_waits_for_a_free_one_and_says_why_another_is_not_used(platform):
    platform.gpus = FakeGpus(Card(), Card(1, memory_used=9_000_000_000))
    begin(add("first"), gpus="0")
    assert turn.why_waiting(platform, add("second")) == (
        "It waits for a free GPU (GPU 1: another program is using its memory). Now at work: first #1."
    )
    chosen = add("third", gpu_choice="0")
    assert turn.why_waiting(platform, chosen).startswith(
        "It waits for GPU 0. Now at work: first #1."
    )


def test_a_paused_queue_a_full_disk_and_a_pause_after_interruptions_are_told(platform):
    job = add("dog")
    service.pause_queue()
    assert turn.why_waiting(platform, job).startswith("The queue is paused")
    service.resume_queue()
    store.remember("held", "The disk is nearly full.")
    assert turn.why_waiting(platform, job) == "The disk is nearly full."
    store.remember("held", "")
    store.change(job, not_before=9e9)
    assert turn.why_waiting(platform, job).startswith("After several interruptions")


def test_an_open_page_hears_of_it_when_the_place_is_taken(app, platform):
    job = add("second")
    client = app.test_client()
    poll = poll_of(client.get(f"/jobs/{job.id}").text, "job-status")
    assert client.get(poll).status_code == 204
    begin(add("first", priority=1))
    assert "Now at work: first" in client.get(poll).text
