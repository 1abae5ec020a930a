"""A disk or database that takes nothing is told as that, on pages and by the API, not as an error of the program."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3

import pytest
from sqlalchemy import event

from app.db import db
from app.jobs import service


@contextlib.contextmanager
def on_each_connection(app, act):
    """``act`` on every connection that the application has or gets."""
    with app.app_context():
        engine = db.engine
    engine.dispose()

    def connected(connection, _record):
        act(connection)

    event.listen(engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(engine, "connect", connected)
        engine.dispose()


def test_a_data_folder_that_turned_read_only_is_told(app, client):
    with on_each_connection(app, lambda connection: connection.execute("PRAGMA query_only = ON")):
        answer = client.post("/api/v1/queue/pause")
        page = client.post("/queue/pause")
    assert (answer.status_code, page.status_code) == (507, 507)
    assert "read-only" in answer.json["error"]
    assert "mount it writable" in page.text
    assert client.post("/queue/pause").status_code == 303


def test_a_database_that_somebody_else_holds_for_long_is_told(app, client, tmp_path):
    quick = lambda connection: connection.execute("PRAGMA busy_timeout = 1")  # noqa: E731
    file = tmp_path / "data" / "lora.db"
    with (
        on_each_connection(app, quick),
        contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/api/v1/queue/pause")
        other.execute("ROLLBACK")
    assert answer.status_code == 503
    assert "busy" in answer.json["error"]
    assert "again" in answer.json["error"]


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [(errno.ENOSPC, 507, "is full"), (errno.EDQUOT, 507, "is full"), (errno.EROFS, 507, "read-only"),
     (errno.EIO, 500, "error of this program")],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_told(client, monkeypatch, number, status, words):
    def refused():
        raise OSError(number, os.strerror(number), "/data/jobs/1/spec.yaml")

    monkeypatch.setattr(service, "pause_queue", refused)
    answer = client.post("/queue/pause")
    assert answer.status_code == status
    assert words in answer.text
