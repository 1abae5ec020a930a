"""A new job from a checkpoint, and the order of the queue."""

from __future__ import annotations

import pytest

from app.jobs import service, store
from tests.web.test_pages import write_lora


def test_each_checkpoint_leads_to_a_new_job_that_starts_from_it(app, client, job, form):
    path = service.run_dir(job).output / "dog-000002.safetensors"
    write_lora(path)
    page = client.get("/jobs/1").text
    assert "New job from here" in page
    address = f"/jobs/new?clone=1&resume={path}"
    assert f'value="{path}"' in client.get(address).text
    answer = client.post("/jobs/", data={**form, "resume": str(path), "hold": "1"})
    assert answer.status_code == 303, answer.text
    assert service.spec_of(store.get(2)).resume.source == str(path)


def test_a_start_from_what_is_not_there_is_refused_at_its_field(client, form):
    for text, words in (("/nowhere/x.safetensors", "There is no /nowhere"), ("77", "no LoRA")):
        answer = client.post("/jobs/", data={**form, "resume": text})
        assert answer.status_code == 422
        assert words in answer.text


def test_a_higher_priority_starts_earlier(client, job, form):
    client.post("/jobs/", data={**form, "name": "cat"})
    client.post("/jobs/1/release")
    client.post("/jobs/2/priority", data={"priority": "5"})
    assert [j.id for j in store.launchable(2e12)] == [2, 1]
    client.post("/jobs/1/next")
    assert [j.id for j in store.launchable(2e12)] == [1, 2]


@pytest.mark.parametrize("typed", ["", "high", "1.5", "1001", "9" * 20, "²"])
def test_what_is_no_priority_is_said_and_changes_nothing(client, job, typed):
    client.post("/jobs/1/priority", data={"priority": "-7"})
    answer = client.post("/jobs/1/priority", data={"priority": typed})
    assert answer.status_code == 400
    assert "Give a whole number from -1000 to 1000; higher starts earlier." in answer.text
    assert store.get(1).priority == -7
