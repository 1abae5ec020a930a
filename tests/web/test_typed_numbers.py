"""Whatever is typed where a number belongs is answered in words, never by an error of this program."""

from __future__ import annotations

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
CONTROL = "engine_options.ai-toolkit.datasets.{}.control_path"


@pytest.mark.parametrize("typed", ["²", "--5", "9" * 5000, "-", "٣"])
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
