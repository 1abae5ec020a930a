"""The address of an action, opened as if it were a page, leads to the page that the action stands on."""

from __future__ import annotations

import re

import pytest

from app.datasets import library
from tests.support.finished import finished_job


@pytest.fixture
def known(app, client):
    """A client that has a job, a dataset and its pictures to look for."""
    with app.app_context():
        finished_job(app)
        library.create("dog")
    return client


def actions(app):
    """The addresses of actions alone, each number being 1."""
    rules = list(app.url_map.iter_rules())
    pages = {rule.rule for rule in rules if "GET" in (rule.methods or ())}
    for rule in rules:
        if "POST" in (rule.methods or ()) and rule.rule not in pages:
            yield re.sub(r"<[^>]*>", "1", rule.rule)


def test_every_action_opened_as_a_page_leads_to_a_page(app, known):
    ends = {}
    for address in actions(app):
        if address.startswith("/api/"):
            continue
        answer = known.get(address)
        assert answer.status_code == 303, address
        page = known.get(answer.location)
        # What is named by a 1 need not be there; a page says so then.
        assert page.status_code in (200, 404), address
        assert "<html" in page.text, (address, answer.location)
        ends[address] = answer.location
    assert ends["/jobs/1/priority"] == "/jobs/1"
    assert ends["/models/download"] == "/models"
    assert ends["/settings/notifications"] == "/settings"
    assert ends["/datasets/1/items/1/caption"] == "/datasets/1/items/1"
    assert ends["/jobs/"] == "/jobs/new"
    assert ends["/jobs/import"] == "/jobs/new"
    assert ends["/queue/pause"] == ends["/tasks/1/cancel"] == ends["/first-steps/model"] == "/"


def test_a_program_is_still_told_that_the_method_is_wrong(client):
    assert client.delete("/models/download").status_code == 405


def test_the_answer_to_a_refused_form_names_its_page_and_marks_it_in_the_navigation(client):
    for address, page in (("/jobs/", "/jobs/new"), ("/models/download", "/models")):
        answer = client.post(address, data={})
        assert answer.status_code == 422
        assert f'data-answer="{page}"' in answer.text
        assert f'<a href="{page}" aria-current="page"' in answer.text
    assert "data-answer" not in client.get("/models").text
    assert 'data-answer="/login"' in client.post("/login", data={"token": "x"}).text
