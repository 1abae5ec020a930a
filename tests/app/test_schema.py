"""The database is brought up to date, and what was there is kept first."""

from __future__ import annotations

import fcntl
import sqlite3
import threading

import pytest

from app import schema
from app.errors import UserError
from app.settings import Settings


def test_a_fresh_folder_gets_a_current_database_and_the_second_look_does_nothing(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path / "d")})
    assert schema.migrate(settings)
    assert schema.is_current(settings)
    assert not schema.migrate(settings)
    assert settings.jobs_dir.is_dir()


def test_before_a_migration_the_old_database_is_copied(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    old = sqlite3.connect(tmp_path / "lora.db")
    old.execute("CREATE TABLE kept (value)")
    old.execute("INSERT INTO kept VALUES (7)")
    old.commit()
    old.close()
    schema.migrate(settings)
    copies = list(tmp_path.glob("lora.db.before-*"))
    assert len(copies) == 1
    copy = sqlite3.connect(copies[0])
    assert copy.execute("SELECT value FROM kept").fetchone() == (7,)
    copy.close()


def test_a_database_of_a_newer_version_is_refused_in_a_sentence_and_left_alone(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    schema.migrate(settings)
    database = sqlite3.connect(tmp_path / "lora.db")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    with pytest.raises(schema.NewerDatabaseError, match=r"revision 9999.*lora\.db\.before-9999-"):
        schema.migrate(settings)
    assert list(tmp_path.glob("*.before-*")) == []


def test_who_comes_while_another_migrates_waits_and_finds_it_done(tmp_path, monkeypatch):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    done: list[bool] = []
    asked = threading.Event()
    lock_of = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda *given: (asked.set(), lock_of(*given)))
    with (tmp_path / ".migrating").open("a") as lock:
        lock_of(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: done.append(schema.migrate(settings)))
        second.start()
        assert asked.wait(10)
        assert schema.is_current(settings) is False
        assert done == []
        schema._upgrade(settings)  # the first one's work, which it then lets go of
    second.join(timeout=10)
    assert done == [False]


def test_a_torn_database_is_told_and_left_alone(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    torn = bytes(range(256)) * 40
    (tmp_path / "lora.db").write_bytes(torn)
    with pytest.raises(UserError, match=r"lora\.db cannot be read as a database: .*move it away"):
        schema.migrate(settings)
    assert (tmp_path / "lora.db").read_bytes() == torn
    assert list(tmp_path.glob("*.before-*")) == []
