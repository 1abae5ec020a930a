"""Preferences are stored by group; nonsense in the database is as if nothing was set."""

from __future__ import annotations

import contextlib
import threading

import pytest

from app import delivery, notify, preferences
from app.db import db
from app.models import Fact
from tests.support.platform import make_app


class ToyPreferences(preferences.Preferences):
    loud: bool = False
    times: int = 3


def test_a_group_comes_back_as_it_was_stored_and_has_defaults_before(tmp_path):
    with make_app(tmp_path).app_context():
        assert preferences.load(ToyPreferences) == ToyPreferences()
        preferences.save(ToyPreferences(loud=True))
        assert preferences.load(ToyPreferences) == ToyPreferences(loud=True, times=3)


def test_what_an_older_version_stored_does_not_keep_the_program_from_starting(tmp_path, caplog):
    with make_app(tmp_path).app_context():
        db.session.merge(Fact(key=ToyPreferences.key(), value='{"times": "many", "gone": 1}'))
        db.session.commit()
        assert preferences.load(ToyPreferences) == ToyPreferences()
    assert "defaults are used" in caplog.text


@pytest.mark.parametrize("many", [
    (notify, lambda: notify.add("a phone", "ntfy://a-topic", ["failed"])),
    (delivery, lambda: delivery.add("rclone", {"place": "drive:x/{id}"}, ["lora"])),
], ids=["notify", "delivery"])  # fmt: skip
def test_two_who_add_at_the_same_moment_both_stay(tmp_path, monkeypatch, many):
    module, add = many
    app, load, both = make_app(tmp_path), preferences.load, threading.Barrier(2)

    def slow(group):
        found = load(group)
        # Each has read the list before the other writes it, unless that one waits for its turn.
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        return found

    def one():
        with app.app_context():
            add()

    monkeypatch.setattr(preferences, "load", slow)
    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    with app.app_context():
        assert len(module.targets()) == 2
