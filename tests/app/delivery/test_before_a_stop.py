"""Before the machine goes away: what is wanted as a copy has to be verified, and people are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import delivery, notify, tasks
from app.platform import current
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    with make_app(tmp_path).app_context():
        yield


def test_nobody_waits_for_copies_that_nobody_wants(app, monkeypatch):
    monkeypatch.setattr(delivery.store, "pending", lambda jobs=None: ["Job 1: 2 files not sent."])
    assert current().supervisor.autostop.undelivered() == ""


def test_what_an_automatic_target_has_not_verified_stands_in_the_way_of_a_stop(app, monkeypatch):
    given = {"place": "bucket/{name}-{id}", "automatic": "success", "key_id": "a", "key": "b"}
    delivery.add("s3", given, ["lora"])
    monkeypatch.setattr(delivery.store, "pending", lambda jobs=None: ["Job 1: 2 files not sent."])
    assert current().supervisor.autostop.undelivered() == "Job 1: 2 files not sent."


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
