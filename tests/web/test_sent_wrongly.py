"""What a script, a stale page or a folder that went away brings to an address is answered with what would do."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import event

from app import tasks, tokens
from app.db import db
from tests.support.platform import make_app


@pytest.fixture
def dataset(client, pictures):
    """Number 1, with pictures that a page has looked at."""
    assert client.post("/datasets/folder", data={"path": str(pictures)}).status_code == 303
    assert client.get("/datasets/1").status_code == 200
    return pictures


@pytest.mark.parametrize(("address", "sent", "told"), [
    ("/datasets/1/uploads/import", {"json": {"ids": "one"}}, "Name the uploads to import."),
    ("/datasets/1/uploads/import", {"data": b"no json"}, "Name the uploads to import."),
    ("/datasets/1/items/1/crop", {"data": {"left": "1", "top": "-2", "width": "9", "height": "9"}},
     "A rectangle has four whole numbers"),
    ("/datasets/1/items/1/crop", {"data": {}}, "A rectangle has four whole numbers"),
    ("/datasets/1/items/1/crop", {"data": {"left": "0", "top": "0", "width": "0", "height": "5"}},
     "at least 1 pixel"),
    ("/datasets/1/items/1/turn", {"data": {"way": "inside out"}}, "turned left or right"),
    ("/api/v1/queue/pause?x", {"json": []}, ""),
])  # fmt: skip
@pytest.mark.usefixtures("dataset")
def test_what_lacks_something_is_told_what(client, address, sent, told):
    answer = client.post(address, **sent)
    assert told in answer.text
    assert answer.status_code < 500
    if told:
        assert answer.status_code == 400


def test_a_piece_of_a_file_needs_its_place(client, dataset):
    sent = {"files": [{"name": "a.png", "size": 9}]}
    upload = client.post("/datasets/1/uploads", json=sent).json["uploads"][0]["id"]
    answer = client.put(f"/datasets/1/uploads/{upload}", data=b"123")
    assert (answer.status_code, answer.json["error"]) == (
        400, "Say at which offset the piece belongs."
    )  # fmt: skip
    assert dataset.is_dir()


def test_the_api_takes_objects_alone(client):
    answer = client.post("/api/v1/jobs", json=["name", "dog"])
    assert (answer.status_code, answer.json["error"]) == (422, "Send a JSON object.")


@pytest.mark.usefixtures("job")
def test_a_part_of_a_curve_cannot_be_asked_for_from_a_point_on(client):
    answer = client.get("/api/v1/jobs/1/curves?series=loss,lr&since=4")
    assert answer.status_code == 422
    assert "Only for one series as a whole" in answer.text


@pytest.mark.parametrize(
    "address", ["/datasets/1/all.zip", "/datasets/1/health", "/api/v1/datasets/1/health"]
)
def test_a_folder_that_is_gone_is_told_with_its_name_and_what_to_do(client, dataset, address):
    shutil.rmtree(dataset)
    answer = client.get(address)
    assert answer.status_code == 400
    assert f"{dataset}, cannot be read" in answer.text
    assert "Put it back, or remove the dataset from the list." in answer.text


def test_work_that_wrote_no_log_says_so(app, client):
    with app.app_context():
        task = tasks.start("model.scan", "models", {})
        number = task.id
    answer = client.get(f"/tasks/{number}/log.txt")
    assert (answer.status_code, "It wrote no log." in answer.text) == (404, True)


@pytest.mark.parametrize("wrong", [{"length.steps": "many"}, {"network.rank": "0"}])
def test_a_form_that_cannot_be_planned_comes_back_instead_of_a_folder_of_files(client, form, wrong):
    answer = client.post("/jobs/export", data={**form, **wrong})
    assert answer.status_code == 422
    assert 'id="job-form"' in answer.text
    assert f'value="{form["name"]}"' in answer.text


def test_a_token_that_cannot_be_kept_is_told_beside_its_field(app, client, monkeypatch):
    def full(*_words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app.extensions["vast-lora"].vault, "put", full)
    answer = client.post("/models/token", data={"token": "hf_abc"})
    assert answer.status_code == 422
    assert "It could not be stored: No space left on device." in answer.text


def test_on_a_disk_that_takes_nothing_people_come_in_and_go_out_all_the_same(tmp_path, env):
    app = make_app(tmp_path / "locked", {**env, "AUTH_TOKEN": "right"})
    with app.app_context():
        _, named = tokens.make("watcher", "read")
        event.listen(
            db.engine,
            "checkout",
            lambda connection, *_: connection.execute("PRAGMA query_only = 1"),
        )
        db.engine.dispose()
    client = app.test_client()
    assert client.get("/", headers={"Authorization": f"Bearer {named}"}).status_code == 200
    assert client.get("/?token=right").status_code == 303
    answer = client.post("/logout")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert client.get("/").status_code == 303
