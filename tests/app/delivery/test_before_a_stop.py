"""Before the machine goes away: what is wanted as a copy has to be verified, and people are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import delivery, notify, tasks
from app.db import db
from app.jobs import store
from app.jobs.states import JobState
from app.models import Delivery
from app.platform import current
from app.settings import HUB_OFFLINE
from app.vast import Undelivered
from tests.support.finished import finished_job
from tests.support.platform import make_app

GIVEN = {"place": "bucket/{name}-{id}", "key_id": "a", "key": "b"}


def finished():
    """A job that is over, with nothing on disk."""
    job = store.add(name="dog", family="sd15", engine="kohya_ss", document="{}", total_steps=1,
                    notes="", held=False, gpu_choice="")  # fmt: skip
    store.change(job, attempt=1)
    store.move(job, JobState.CANCELLED)
    return job


def sent(job, target, state):
    db.session.add(
        Delivery(job_id=job.id, target=target.id, source="output/dog.safetensors", state=state,
                 path="dog.safetensors", size=1, sha256="", mtime_ns=0, created=0.0)
    )  # fmt: skip
    db.session.commit()


def test_nobody_waits_for_copies_that_nobody_wants(app):
    finished()
    assert delivery.undelivered() == Undelivered()
    delivery.add("s3", GIVEN, ["lora"])
    assert delivery.undelivered() == Undelivered()


def test_a_file_that_a_person_chose_and_that_is_not_verified_stands_in_the_way_of_a_stop(app):
    target = delivery.add("s3", GIVEN, ["lora"])
    sent(finished(), target, "failed")
    assert delivery.undelivered().holds == "Job 1, dog: 1 file failed."


def test_a_stop_that_is_near_is_told_once(app):
    notify.add("me", "json://127.0.0.1:9/x", ["machine-stops"])
    watcher = notify.Watcher()
    autostop = current().supervisor.autostop
    autostop.state = replace(autostop.state, phase="idle", left=1200.0)
    watcher.tick()
    assert tasks.active("notify") == []
    autostop.state = replace(autostop.state, left=300.0)
    watcher.tick()
    watcher.tick()
    (told,) = tasks.active("notify")
    assert "stopped in about 5 minutes" in told.arguments


@pytest.fixture
def offline(tmp_path):
    app = make_app(tmp_path, {"HF_HUB_OFFLINE": "1"})
    with app.app_context():
        delivery.Watcher().tick()
        yield app


HUB = {"place": "{name}-{id}", "automatic": "success"}
KEPT = "2 files of job 1, dog, are not copied to the Hub, because HF_HUB_OFFLINE is set"


def test_a_copy_to_the_hub_that_may_not_be_made_is_not_begun_and_told_on_the_job_and_by_message(
    offline,
):
    notify.add("me", "json://127.0.0.1:9/x", ["upload-failed"])
    notify.Watcher().tick()
    delivery.add("hub", HUB, ["lora", "report"])
    job = finished_job(offline)
    for _ in range(2):  # as after a kill in between
        store.remember("delivery.cursor", "1")
        delivery.Watcher().tick()
    assert tasks.recent(delivery.store.KIND) == []
    told = [event.reason for event in store.events(job.id) if event.new is None]
    assert told == [f"not sent to Hugging Face yet: {HUB_OFFLINE}"]
    assert delivery.pending([job]) == ["Job 1, dog: 2 files waiting."]
    notify.Watcher().tick()
    (message,) = tasks.active("notify")
    assert "dog was not copied" in message.arguments


def test_what_the_hub_may_not_have_keeps_a_machine_from_being_destroyed_not_from_being_stopped(
    offline,
):
    delivery.add("hub", HUB, ["lora"])
    finished_job(offline)
    delivery.Watcher().tick()
    assert delivery.undelivered() == Undelivered(stays=KEPT)
    finished_job(offline)
    assert delivery.undelivered().stays.startswith("3 files of 2 jobs are not")
    delivery.add("s3", {**GIVEN, "automatic": "always"}, ["lora"])
    assert delivery.undelivered() == Undelivered("Job 1, dog: 1 file not sent.")


def test_it_goes_by_itself_once_the_hub_is_open_again(offline):
    delivery.add("hub", HUB, ["lora"])
    job = finished_job(offline)
    delivery.Watcher().tick()
    failed = delivery.store.run_again(job.id, delivery.targets()[0].id)
    # As a task ends that was on its way when the program came back with the switch set.
    tasks.store.change(failed.id, state="failed", error=HUB_OFFLINE)
    delivery.Watcher().tick()
    assert tasks.active(delivery.store.KIND) == []
    platform = current()
    platform.settings = replace(platform.settings, hf_hub_offline=False)
    delivery.Watcher().tick()
    assert len(tasks.active(delivery.store.KIND)) == 1
    assert delivery.undelivered() == Undelivered("Job 1, dog: 2 files waiting.")
