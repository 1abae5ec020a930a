"""Background work on pages: its progress, and the buttons that end it or have it go on."""

from __future__ import annotations

import pytest

from app.tasks import KINDS, Kind, store


@pytest.fixture
def task(app, monkeypatch):
    monkeypatch.setitem(KINDS, "count", Kind("tests.support.tasks:count", "disk", "Counting"))
    with app.app_context():
        return store.start("count", "thing:1", {}).id


def test_running_work_polls_itself_and_work_that_is_over_does_not(app, client, task):
    with app.app_context():
        store.change(task, state="running", done=50, total=200, unit="files", message="halfway")
    page = client.get(f"/tasks/{task}").text
    assert "Counting" in page
    assert "50 of 200 files" in page
    assert "hx-get" in page
    with app.app_context():
        store.change(task, state="failed", error="The disk is full.")
    page = client.get(f"/tasks/{task}").text
    assert "The disk is full." in page
    assert "hx-get" not in page


def test_a_poll_with_nothing_new_is_answered_with_nothing(client, task):
    assert client.get(f"/tasks/{task}?v=1").status_code == 204


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_a_page_is_drawn_again_once_its_work_is_over(app, client, task, state):
    with app.app_context():
        store.change(task, state=state)
    assert client.get(f"/tasks/{task}?v=1").headers["HX-Refresh"] == "true"


def test_work_within_a_region_that_polls_by_itself_draws_no_page_again(app, client, task):
    assert "quiet=1" in client.get(f"/tasks/{task}?quiet=1").text
    with app.app_context():
        store.change(task, state="done")
    answer = client.get(f"/tasks/{task}?v=1&quiet=1")
    assert "HX-Refresh" not in answer.headers
    assert "hx-get" not in answer.text


def test_cancel_go_on_and_dismiss_lead_back_to_the_page_they_stood_on(app, client, task):
    answer = client.post(f"/tasks/{task}/cancel", data={"next": "/engines"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/engines")
    assert client.post(f"/tasks/{task}/retry", data={"next": "//evil"}).headers["Location"] == "/"
    assert client.post(f"/tasks/{task}/forget").status_code == 409
    client.post(f"/tasks/{task}/cancel")
    client.post(f"/tasks/{task}/forget")
    assert client.get(f"/tasks/{task}").status_code == 404
