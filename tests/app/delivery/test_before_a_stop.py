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
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    with make_app(tmp_path).app_context():
        yield


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
    assert current().supervisor.autostop.undelivered() == ""
    delivery.add("s3", GIVEN, ["lora"])
    assert current().supervisor.autostop.undelivered() == ""


def test_a_file_that_a_person_chose_and_that_is_not_verified_stands_in_the_way_of_a_stop(app):
    target = delivery.add("s3", GIVEN, ["lora"])
    sent(finished(), target, "failed")
    assert current().supervisor.autostop.undelivered() == "Job 1, dog: 1 file failed."


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
