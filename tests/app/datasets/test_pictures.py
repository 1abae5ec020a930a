"""What cannot be done to a picture says why, and leaves the picture, its edits and the disk alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.datasets import captioning, editing, grid, pictures, scanning
from app.errors import UserError
from tests.support.pictures import dataset
from tests.support.platform import make_app


@pytest.fixture
def dogs(tmp_path):
    with make_app(tmp_path).app_context():
        yield dataset(tmp_path / "dogs", {"a.png": "a dog"})


def folder(dogs):
    return Path(dogs.path)


def item(dogs, name):
    return next(row for row in grid.page(dogs, grid.View()).items if row.name == name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d, i: pictures.turn(d, i, "over"), "A picture is turned left or right"),
        (lambda d, i: pictures.crop(d, i, pictures.Box(0, 0, 0, 9)), "at least 1 pixel"),
        (
            lambda d, i: pictures.crop(d, i, pictures.Box(-1, 0, 5, 5)),
            "-1,0 to 4,5 does not lie inside",
        ),
        (lambda d, i: captioning.save(d, i, "x" * 65537, "none"), "at most 65536 characters"),
        (lambda d, i: editing.get(d, 7), "There is no edit 7 of dogs"),
    ],
)
def test_what_cannot_be_done_to_a_picture_is_refused_and_changes_nothing(dogs, change, sentence):
    before = (folder(dogs) / "a.png").read_bytes()
    with pytest.raises(UserError, match=sentence):
        change(dogs, item(dogs, "a.png"))
    assert (folder(dogs) / "a.png").read_bytes() == before
    assert editing.latest(dogs) == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(28, "No space left on device"),
            "The disk is full. Nothing was changed. Free some",
        ),
        (OSError(5, "Input/output error"), "a.png cannot be read: Input/output error."),
    ],
)
def test_a_picture_that_cannot_be_drawn_says_why_and_stays(dogs, monkeypatch, error, sentence):
    def fails(*_words, **_options):
        raise error

    before = (folder(dogs) / "a.png").read_bytes()
    monkeypatch.setattr("PIL.Image.Image.save", fails)
    with pytest.raises(UserError, match=re.escape(sentence)):
        pictures.turn(dogs, item(dogs, "a.png"), "left")
    assert (folder(dogs) / "a.png").read_bytes() == before
    assert editing.latest(dogs) == []
    assert [path.name for path in (folder(dogs) / ".trash").iterdir()] == ["lock"]


def test_a_clip_is_not_turned_and_its_place_on_the_machine_is_not_told(dogs):
    (folder(dogs) / "d.mp4").write_bytes(b"a clip")
    scanning.scan(dogs)
    with pytest.raises(
        UserError, match=r"d\.mp4 cannot be read: cannot identify image file"
    ) as told:
        pictures.turn(dogs, item(dogs, "d.mp4"), "left")
    assert str(folder(dogs)) not in str(told.value)
