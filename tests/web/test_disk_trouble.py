"""A disk that takes nothing (any more) is told in words, whatever was to be written."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app.datasets import library


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EROFS, "/datasets/dog cannot be written or read. Look at its owner"),
    ],
)
def test_a_file_that_cannot_be_written_is_no_error_of_the_program(
    client, monkeypatch, number, told
):
    mkdir = Path.mkdir

    def refuse(self, *given, **how):
        if self.name == "dog":
            raise OSError(number, os.strerror(number), str(self))
        mkdir(self, *given, **how)

    monkeypatch.setattr(Path, "mkdir", refuse)
    answer = client.post("/datasets", data={"name": "dog"})
    assert (answer.status_code, told in answer.text) == (507, True)


def test_a_database_on_a_disk_that_became_read_only_is_told(client, monkeypatch):
    trouble = sqlite3.OperationalError("attempt to write a readonly database")
    trouble.sqlite_errorname = "SQLITE_READONLY_DBMOVED"

    def refuse(_name):
        raise OperationalError("INSERT", {}, trouble)

    monkeypatch.setattr(library, "create", refuse)
    answer = client.post("/datasets", data={"name": "dog"})
    assert (answer.status_code, "The database cannot be written" in answer.text) == (507, True)


@pytest.mark.parametrize("size", ["1e999", "1" + "0" * 400, "-1"])
def test_a_size_that_no_file_has_is_refused(client, size):
    client.post("/datasets", data={"name": "cat"})
    body = f'{{"files": [{{"name": "a.png", "size": {size}}}]}}'
    answer = client.post("/datasets/1/uploads", data=body, content_type="application/json")
    assert (answer.status_code, "size" in answer.json["error"]) == (400, True)
