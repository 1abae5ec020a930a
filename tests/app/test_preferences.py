"""Preferences are stored by group; nonsense in the database is as if nothing was set."""

from __future__ import annotations

from app import preferences
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
