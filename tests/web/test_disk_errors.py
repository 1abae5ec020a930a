"""What ails the disk or the database is told as that; a page that can still be shown is shown."""

from __future__ import annotations

import errno
import shutil
import sqlite3

import pytest
from sqlalchemy import event

from app.db import db
from app.jobs import service


@pytest.fixture
def on_each_connection(app):
    """A function that has each connection begin with a pragma."""

    def have(pragma):
        def begin(connection, _record, _proxy):
            connection.execute(pragma)

        with app.app_context():
            event.listen(db.engine, "checkout", begin)
            db.engine.dispose()

    return have


@pytest.mark.parametrize(("pragma", "status", "told"), [
    ("PRAGMA max_page_count = 1", 507, "The disk is full, so nothing could be written down"),
    ("PRAGMA query_only = 1", 507, "The data folder turned read-only, so nothing could be written down"),
])  # fmt: skip
def test_a_disk_that_takes_nothing_is_told_and_pages_are_shown_all_the_same(
    app, client, on_each_connection, pragma, status, told
):
    assert client.post("/datasets", data={"name": "known"}).status_code == 303
    on_each_connection(pragma)
    data = app.extensions["vast-lora"].settings.datasets_dir
    (data / "found by looking").mkdir()
    for page in ("/", "/datasets", "/datasets/1", "/datasets/1/health", "/models", "/meter"):
        assert client.get(page).status_code == 200, page
    # A full disk is noticed once the database needs a further page of it.
    tries = (client.post("/datasets", data={"name": f"new {n}"}) for n in range(200))
    answer = next(answer for answer in tries if answer.status_code != 303)
    assert (answer.status_code, told in answer.text) == (status, True)


def test_a_database_that_another_program_keeps_is_told_as_busy(app, client, on_each_connection):
    on_each_connection("PRAGMA busy_timeout = 0")
    file = app.extensions["vast-lora"].settings.data_dir / "lora.db"
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")
    page, api = client.post("/queue/pause"), client.post("/api/v1/queue/pause")
    other.close()
    assert (page.status_code, api.status_code) == (503, 503)
    for told in (page.text, api.json["error"]):
        assert "Another program kept the database" in told


def test_a_damaged_database_is_told_with_where_a_copy_goes(app, client):
    with app.app_context():
        db.engine.dispose()
    data = app.extensions["vast-lora"].settings.data_dir
    for file in data.glob("lora.db*"):
        file.write_bytes(b"not what it was " * 4096)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "Put a copy in its place, as the operator guide tells" in answer.text


def test_a_data_folder_that_is_gone_is_told_by_pages_the_api_and_healthz(app, client):
    shutil.rmtree(app.extensions["vast-lora"].settings.data_dir)
    for page in ("/system", "/datasets", "/models"):
        answer = client.get(page)
        assert (answer.status_code, "is not there any more" in answer.text) == (503, True), page
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json["disk"]) == (503, "ill")


@pytest.mark.parametrize(("number", "status", "told"), [
    (errno.ENOSPC, 507, "The disk is full"), (errno.EROFS, 507, "turned read-only"),
    (errno.EIO, 503, "does not answer"),
    (errno.EACCES, 507, "/data/f may not be read or written"), (errno.ENOENT, 500, "An error of this program"),
])  # fmt: skip
def test_a_file_that_cannot_be_written_is_told_by_what_ails_its_disk(
    client, form, monkeypatch, number, status, told
):
    def refused(*_words, **_more):
        raise OSError(number, "no", "/data/f")

    monkeypatch.setattr(service, "submit", refused)
    answer = client.post("/jobs/", data=form)
    assert (answer.status_code, told in answer.text) == (status, True)
