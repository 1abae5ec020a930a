"""What goes wrong in a request: said in a sentence, with nothing lost and nothing told that is secret."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice, permutations

import pytest
from sqlalchemy.exc import OperationalError

from app.jobs import service
from app.platform import EXTENSION
from app.settings import ROOT
from app.web import health, statics


def test_the_password_of_a_database_is_on_no_page(app, client, monkeypatch):
    platform = app.extensions[EXTENSION]
    secret = dataclasses.replace(platform.settings, database_url="postgresql://me:pa55word@db/lora")
    monkeypatch.setattr(platform, "settings", secret)
    page = client.get("/system").text
    assert "DATABASE_URL" in page
    assert "pa55word" not in page


def test_a_database_that_does_not_answer_is_told_by_healthz_without_an_error(client, monkeypatch):
    def broken(*words):
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(health.db.session, "execute", broken)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json["database"]) == (503, "ill")
    assert "I/O" not in answer.text


@pytest.mark.parametrize("path", [
    "/static/bundle/..%2f..%2fpyproject.js", "/static/bundle/app+..%2fx.js",
    "/static/bundle/app.css", "/static/bundle/nothing",
])  # fmt: skip
def test_a_bundle_holds_nothing_but_files_of_ours(client, path):
    assert client.get(path).status_code == 404


def test_any_number_of_combinations_of_files_is_remembered_in_bounded_memory(client):
    """Anybody may ask for a bundle, also who is not logged in."""
    names = sorted(path.stem for path in (ROOT / "static").glob("*.js"))
    asked = islice(permutations(names, 3), 200)
    for combination in asked:
        assert client.get(f"/static/bundle/{'+'.join(combination)}").status_code == 200
    assert 0 < statics._bundle.cache_info().currsize < 100


@pytest.mark.parametrize("names", [
    "app+app", "app+./app", "app+.//app", "vendor/htmx-4.0.1.min+vendor/./htmx-4.0.1.min",
    "vendor/htmx-4.0.1.min+vendor//htmx-4.0.1.min", "vendor/./htmx-4.0.1.min",
    "vendor/htmx-4.0.1.min+vendor/../vendor/htmx-4.0.1.min",
])  # fmt: skip
def test_a_file_is_in_a_bundle_once_however_it_is_spelled(client, names):
    """A short address would be megabytes."""
    for name in set(names.split("+")) & {"app", "vendor/htmx-4.0.1.min"}:
        assert client.get(f"/static/bundle/{name}").status_code == 200
    assert client.get(f"/static/bundle/{names}").status_code == 404


def test_each_line_of_the_prompts_is_a_prompt_with_its_commas(client, form):
    lines = "a dog, on grass\n\n  a cat, asleep  \n"
    answer = client.post("/jobs/", data={**form, "hold": "1", "sampling.prompts": lines})
    assert answer.status_code == 303, answer.text
    with client.application.app_context():
        document = json.loads(service.get(1).document)
    assert document["sampling"]["prompts"] == ["a dog, on grass", "a cat, asleep"]
    again = client.get("/jobs/new?clone=1").text
    assert "a dog, on grass\na cat, asleep</textarea>" in again


def test_a_refusal_to_htmx_is_a_sentence_for_the_flash_and_no_page(client, job):
    answer = client.post("/jobs/1/retry", headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "only a finished job can be tried again" in answer.text
    assert "<html" not in answer.text
