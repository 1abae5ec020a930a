"""Datasets whose folder is a link, cannot be deleted, or was taken away by somebody."""

from __future__ import annotations

import pytest

from app import tasks
from app.datasets import removing
from app.errors import UserError
from app.platform import EXTENSION
from tests.support.zips import picture


@pytest.fixture
def run_all(app):
    return app.extensions[EXTENSION].tasks.run_all


@pytest.fixture
def dog(app):
    """The folder of a captioned picture."""
    folder = app.extensions[EXTENSION].settings.datasets_dir / "dog"
    folder.mkdir()
    (folder / "0.png").write_bytes(picture(0))
    (folder / "0.txt").write_text("a shape")
    return folder


def test_a_linked_folder_that_is_deleted_takes_the_link_alone(app, client, run_all, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(picture(1))
    place = app.extensions[EXTENSION].settings.datasets_dir
    (place / "linked").symlink_to(tmp_path / "pictures")
    assert "linked" in client.get("/datasets").text
    client.post("/datasets/1/delete")
    client.post("/datasets/removed/1/purge")
    assert run_all() == [""]
    assert list(place.iterdir()) == []
    assert (tmp_path / "pictures/a.png").exists()


def test_a_dataset_that_cannot_be_deleted_whole_stays_among_the_deleted(
    app, client, dog, run_all, monkeypatch
):
    client.get("/datasets")
    client.post("/datasets/1/delete")
    client.post("/datasets/removed/1/purge")

    def refuse(path):
        raise UserError(f"Operation not permitted ({path}).")  # as a child tells an OSError

    monkeypatch.setattr(removing.shutil, "rmtree", refuse)
    assert run_all()[0].startswith("Operation not permitted")
    with app.app_context():
        assert [dataset.id for dataset in removing.removed()] == [1]


def test_what_somebody_took_away_from_the_disk_is_told_in_words(app, client, dog):
    client.get("/datasets")
    kept = dog.with_name("kept")
    dog.rename(kept)
    dog.write_text("a file in the place of the folder")
    answer = client.get("/api/v1/datasets/1/items/1/caption")
    assert (answer.status_code, "cannot be read" in answer.json["error"]) == (400, True)
    dog.unlink()
    kept.rename(dog)
    client.post("/datasets/1/delete")
    dog.with_name(".removed-1-dog").rename(kept)
    assert client.post("/datasets/removed/1/restore").status_code == 303
    assert f"Its folder {dog} is not there" in client.get("/datasets").text


def test_an_import_that_waits_behind_much_newer_work_still_keeps_its_dataset(app, client, dog):
    client.get("/datasets")
    with app.app_context():
        tasks.start("dataset.import", "dataset:1", {"dataset": 1, "hub": "a/b"})
        for _ in range(25):
            tasks.cancel(tasks.start("dataset.thumbnails", "dataset:1", {"dataset": 1}))
    for what in ("delete", "rename"):
        assert client.post(f"/datasets/1/{what}", data={"name": "cat"}).status_code == 409
    assert dog.is_dir()
