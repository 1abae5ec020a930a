"""A kohya training folder becomes a dataset for each of its ``10_name`` folders."""

from __future__ import annotations

import pytest

from app.jobs.opening import open_folders
from app.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings.from_env({"DATA_DIR": str(tmp_path / "data")})


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_each_numbered_folder_becomes_a_dataset_with_what_was_asked_of_the_parent(
    settings, tmp_path
):
    folder = make(tmp_path / "img", "10_ohwx dog/a.png", "3_dog/b.png", "log/x.txt")
    opened = open_folders(
        {"name": "x", "datasets": [{"path": str(folder), "flip": True}]}, settings
    )
    assert opened.document["datasets"] == [
        {"path": str(folder / "10_ohwx dog"), "flip": True, "repeats": 10},
        {"path": str(folder / "3_dog"), "flip": True, "repeats": 3},
    ]
    assert opened.origin == (0, 0)
    assert "10_ohwx dog, 3_dog became 2 datasets" in opened.notes[0]


def test_repeats_that_were_asked_for_win_over_the_folders_number(settings, tmp_path):
    folder = make(tmp_path / "img", "10_dog/a.png")
    opened = open_folders({"datasets": [{"path": str(folder), "repeats": 4}]}, settings)
    assert opened.document["datasets"] == [{"path": str(folder / "10_dog"), "repeats": 4}]


def test_a_folder_with_pictures_of_its_own_stays_as_it_is(settings, tmp_path):
    folder = make(tmp_path / "img", "10_dog/a.png", "b.PNG")
    given = {"datasets": [{"path": str(folder)}]}
    assert open_folders(given, settings).document == given


@pytest.mark.parametrize("datasets", [[{"path": ""}], [{"path": "/nowhere"}], [{}], ["x"], None, 3])
def test_what_cannot_be_looked_into_is_left_for_the_check_to_tell(settings, datasets):
    assert open_folders({"datasets": datasets}, settings).document == {"datasets": datasets}


def test_a_complaint_about_an_opened_dataset_is_told_at_the_one_it_came_from(settings, tmp_path):
    folder = make(tmp_path / "img", "10_a/a.png", "5_b/b.png")
    plain = make(tmp_path / "plain", "c.png")
    opened = open_folders({"datasets": [{"path": str(folder)}, {"path": str(plain)}]}, settings)
    assert opened.place_of("datasets.1.path") == "datasets.0.path"
    assert opened.place_of("datasets.2.keep_tags") == "datasets.1.keep_tags"
    assert opened.place_of("datasets") == "datasets"
