"""Pictures that a job trains on are not changed under it."""

from __future__ import annotations

import os

import pytest

from app.datasets import library, scanning
from app.jobs import store
from app.jobs.states import JobState


@pytest.fixture
def trained(app, job, pictures):
    """The dataset of a job that waits; one of its pictures has an ending in upper case."""
    os.rename(pictures / "0.png", pictures / "0.PNG")
    with app.app_context():
        dataset = library.register(pictures)
        scanning.scan(dataset)
        return dataset.id


def test_while_a_job_trains_pictures_are_neither_changed_nor_deleted_and_captions_are(
    app, client, job, pictures, trained
):
    here = f"/datasets/{trained}"
    # Before the start nothing is in the way, and what was done is there to be undone.
    assert client.post(f"{here}/items/2/turn", data={"way": "left"}).status_code == 303
    assert client.post(f"{here}/items/3/delete").status_code == 303
    for state in (JobState.STARTING, JobState.RUNNING):
        store.move(job, state)
    for path, words in (
        ("items/1/turn", {"way": "left"}),
        ("items/1/crop", {"left": 0, "top": 0, "width": 9, "height": 9}),
        ("items/1/delete", {}),
        ("fix", {"fix": "lower_endings"}),
        ("edits/1/undo", {}),
    ):
        answer = client.post(f"{here}/{path}", data=words)
        assert (answer.status_code, "while job 1 (dog) trains on them" in answer.text) == (
            409,
            True,
        )
    answer = client.post(f"/api/v1{here}/fix", json={"fix": "to_rgb"})
    assert (answer.status_code, "Stop it first" in answer.json["error"]) == (409, True)
    assert (pictures / "0.PNG").exists()
    assert client.post(f"{here}/edits/2/undo").status_code == 303, "what comes back ends no run"
    assert client.post(f"{here}/fix", data={"fix": "delete_empty"}).status_code == 303
    bulk = {"kind": "prefix", "text": "x ", "scope": "all", "do": "apply"}
    assert client.post(f"{here}/bulk", data=bulk).status_code == 303
    store.move(job, JobState.FAILED)
    assert client.post(f"{here}/items/1/delete").status_code == 303
