"""Whatever is typed where a number, a path or a name belongs is answered in words, never by an error of ours."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from app.datasets import library
from app.jobs import store
from tests.support.finished import finished_job

PLACES = (
    "/datasets/1?resolution={}&page={}", "/datasets/1/health?resolution={}", "/datasets?page={}",
    "/compare?jobs={}", "/jobs/1/log/part?at={}", "/?before={}", "/jobs/new?clone={}",
    "/jobs/1/curves.json?width={}&from={}&since={}",
)  # fmt: skip
FORMS = (
    ("/jobs/1/priority", "priority"), ("/jobs/1/extend", "steps"), ("/datasets/1/bulk", "ticked"),
    ("/jobs/", "resume"), ("/jobs/preview", "length.steps"), ("/jobs/preview", "card"),
    ("/machine/cache", "limit_gb"), ("/meter/settings", "max_cost"),
)  # fmt: skip
TEXTS = (
    ("/datasets/folder", "path"), ("/datasets", "name"), ("/datasets/1/rename", "name"),
    ("/datasets", "address"), ("/models/folders", "folder"), ("/models/download", "what"),
    ("/jobs/", "datasets.0.path"), ("/jobs/preview", "datasets.0.path"), ("/jobs/preview", "resume"),
    ("/jobs/preview", "base_model"), ("/jobs/preview", "components.vae"), ("/jobs/", "resume"),
    ("/jobs/preview", "engine_options"), ("/settings/deliveries", "place"), ("/login", "token"),
    ("/jobs/1/artifact/pin", "path"), ("/datasets/1/bulk", "text"), ("/jobs/import", "text"),
)  # fmt: skip
CONTROL = "engine_options.ai-toolkit.datasets.{}.control_path"


@pytest.mark.parametrize("typed", ["²", "--5", "9" * 5000])
def test_nonsense_is_answered_in_words(app, client, typed):
    with app.app_context():
        finished_job(app)
        library.create("dog")
    beside = {"family": "qwen_image_edit", "scope": "ticked", "kind": "delete", "policy": "off"}
    answers = {place: client.get(place.replace("{}", typed)) for place in PLACES}
    for address, name in FORMS:
        answers[address, name] = client.post(address, data={**beside, name: typed})
    answers[CONTROL] = client.post("/jobs/preview", data={**beside, CONTROL.format(typed): "x"})
    assert {place: a.status_code for place, a in answers.items() if a.status_code >= 500} == {}


@pytest.mark.parametrize("typed", ["a\0b", "/" + "x" * 300, "/" + "y/" * 3000, "a" * 60_000])
def test_names_that_no_system_can_hold_are_answered_in_words(app, client, typed):
    with app.app_context():
        finished_job(app)
        library.create("dog")
    job = {
        "family": "sdxl",
        "name": "a",
        "engine": "kohya_ss",
        "length.steps": "5",
        "base_model": "/b",
    }
    beside = {**job, "kind": "pattern", "scope": "all", "what": "lora", "datasets.0.path": "/d"}
    found = {}
    for address, name in TEXTS:
        status = client.post(address, data={**beside, name: typed}).status_code
        found |= {(address, name): status} if status >= 500 else {}
    for address in ("/jobs/1/files/", "/datasets/1/files/", "/jobs/1/artifacts/", "/?q="):
        status = client.get(address + quote(typed)).status_code
        found |= {address: status} if status >= 500 else {}
    assert found == {}


def test_a_priority_that_is_no_number_changes_none(app, client):
    with app.app_context():
        store.add(name="dog", family="sd15", engine="kohya_ss", document="{}", priority=7)
        assert "Give a whole number" in client.post("/jobs/1/priority", data={"priority": "x"}).text
        assert store.get(1).priority == 7
        assert client.post("/jobs/1/priority", data={"priority": " -3 "}).status_code == 303
        assert store.get(1).priority == -3


def test_a_place_far_down_a_list_among_the_engine_options_costs_nothing(client):
    options = "ai-toolkit: {datasets: {999999999999: {control_path: x}}}"
    data = {"family": "qwen_image_edit", "engine_options": options}
    assert client.post("/jobs/fields", data=data).status_code == 200
