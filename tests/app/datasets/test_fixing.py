"""Fixes by a click: ordered as tasks where they draw, never over another file, each caption once."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from app import tasks
from app.datasets import editing, examining, fixing, grid, health, pictures, scanning
from app.datasets.steps import Step
from app.db import db
from app.errors import ConflictError, UserError
from app.models import DatasetEdit, DatasetItem
from tests.support.pictures import dataset, picture
from tests.support.platform import make_app


@pytest.fixture
def dogs(tmp_path):
    with make_app(tmp_path).app_context():
        yield dataset(tmp_path / "dogs", {"a.png": "a dog", "b.png": "a cat"})


def names(dogs):
    return sorted(p.name for p in Path(dogs.path).iterdir() if p.is_file())


def found(dogs):
    return {f.key: f.names for f in health.examine(dogs, 8).findings}


def drawn_for(dogs, seconds):
    """An edit whose pictures are being drawn for so long."""
    edit = editing._add(dogs, "turn", "2 pictures turned", (), state="preparing")
    edit.at = time.time() - seconds
    db.session.commit()
    new = editing.trash_of(Path(dogs.path), edit) / "new"
    new.mkdir(parents=True)
    (new / "a.png").write_bytes(b"drawn")
    return edit


def test_a_converted_picture_takes_no_name_that_another_file_has(dogs):
    folder = Path(dogs.path)
    Image.new("RGB", (32, 32), "red").save(folder / "photo.avif")
    Image.new("RGB", (32, 32), "blue").save(folder / "photo.gif")
    Image.new("RGB", (32, 32), "green").save(folder / "photo.jpg")
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(folder / "sub.tif")
    (folder / "photo.txt").write_text("a photo")
    edit = fixing.fix(dogs, "convert")
    assert edit.summary == "3 pictures as jpg or png"
    assert names(dogs) == [
        "a.png", "a.txt", "b.png", "b.txt", "photo (2).jpg", "photo (2).txt", "photo (3).jpg",
        "photo (3).txt", "photo.jpg", "photo.txt", "sub.png",
    ]  # fmt: skip
    assert {(folder / f"photo{n}.txt").read_text() for n in ("", " (2)", " (3)")} == {"a photo"}
    with Image.open(folder / "photo.jpg") as kept:
        assert kept.getpixel((5, 5))[1] > 100, "the green one was there"
    editing.undo(dogs, edit)
    assert {"photo.avif", "photo.gif", "photo.jpg", "sub.tif"} < set(names(dogs))
    assert "photo (2).jpg" not in names(dogs)


def test_one_click_converts_so_many_and_the_next_the_rest_past_those_that_are_torn(
    dogs, monkeypatch
):
    monkeypatch.setattr(fixing, "MOST_DRAWN", 2)
    folder = Path(dogs.path)
    for number in range(4):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.gif")
    for torn in ("0.gif", "00.gif"):
        (folder / torn).write_bytes(b"GIF89a")
    assert fixing.fix(dogs, "convert").summary == "2 pictures as jpg or png"
    assert fixing.fix(dogs, "convert").summary == "1 pictures as jpg or png"
    assert [name for name in names(dogs) if name.endswith(".gif")] == ["0.gif", "00.gif"]


def test_a_fix_that_waits_keeps_no_other_fix_from_being_ordered(dogs):
    _, first = fixing.order(dogs, "turn")
    _, second = fixing.order(dogs, "to_rgb")
    _, again = fixing.order(dogs, "turn")
    assert again.id == first.id != second.id
    waiting = [json.loads(task.arguments)["fix"] for task in tasks.active(fixing.KIND)]
    assert waiting == ["turn", "to_rgb"]
    edit, task = fixing.order(dogs, "delete_empty")
    assert (edit, task) == (None, None)


def test_a_caption_of_two_pictures_is_put_right_once_and_comes_back(dogs):
    folder = Path(dogs.path)
    shutil.copy(picture(folder / "spare.webp", seed=4), folder / "a.webp")
    (folder / "spare.webp").unlink()
    dogs.trigger_word = "ohwx"
    db.session.commit()
    (folder / "a.txt").write_bytes("un café".encode("cp1252"))
    scanning.scan(dogs)
    assert found(dogs)["encoding"] == ("a.txt",)
    edit = fixing.fix(dogs, "reencode")
    assert edit.summary == "1 captions saved as UTF-8"
    assert fixing.fix(dogs, "trigger").summary.endswith("(2 captions)")
    captions = {row.name: row.caption for row in DatasetItem.query.filter_by(trashed="")}
    assert captions == {
        "a.png": "ohwx, un café", "a.webp": "ohwx, un café", "b.png": "ohwx, a cat",
    }  # fmt: skip
    dogs.caption_extension = ".caption"
    db.session.commit()
    renamed = fixing.fix(dogs, "own_ending")
    assert names(dogs) == ["a.caption", "a.png", "a.webp", "b.caption", "b.png"]
    editing.undo(dogs, renamed)
    (folder / "a.txt").write_text(" ")
    scanning.scan(dogs)
    assert found(dogs)["empty"] == ("a.txt",)
    emptied = fixing.fix(dogs, "delete_empty")
    assert emptied.summary == "1 empty caption files deleted"
    assert "a.txt" not in names(dogs)
    editing.undo(dogs, emptied)
    assert (folder / "a.txt").read_text() == " "


def test_pictures_that_a_running_fix_draws_for_long_are_not_thrown_away(dogs):
    edit = drawn_for(dogs, 3600)
    task = tasks.start(fixing.KIND, f"dataset:{dogs.id}", {"dataset": dogs.id, "fix": "turn"})
    editing.settle(dogs)
    with pytest.raises(ConflictError, match="still being drawn"):
        editing.undo(dogs, edit)
    assert (editing.trash_of(Path(dogs.path), edit) / "new/a.png").exists()
    tasks.cancel(task)
    editing.settle(dogs)
    assert DatasetEdit.query.count() == 0
    assert names(dogs) == ["a.png", "a.txt", "b.png", "b.txt"]


def test_an_edit_of_captions_waits_for_no_drawing(dogs):
    drawn_for(dogs, 3600)
    tasks.start(fixing.KIND, f"dataset:{dogs.id}", {"dataset": dogs.id, "fix": "turn"})
    step = Step("a.txt", DatasetItem.query.filter_by(name="a.png").one().id, "a dog", "a big dog")
    editing.make(dogs, "x", "by hand", [step])
    assert (Path(dogs.path) / "a.txt").read_text() == "a big dog"


def test_pictures_begun_a_moment_ago_are_somebodys_and_may_be_given_up(dogs):
    edit = drawn_for(dogs, 1)
    editing.settle(dogs)
    assert DatasetEdit.query.one() == edit
    editing.undo(dogs, edit)
    assert DatasetEdit.query.count() == 0


def test_copies_are_found_by_the_try_that_goes_on_after_the_last_was_read(dogs, monkeypatch):
    folder = Path(dogs.path)
    shutil.copy(folder / "a.png", folder / "z.png")
    scanning.scan(dogs)
    settings = examining.library.settings()

    def killed(_dataset):
        raise KeyboardInterrupt

    monkeypatch.setattr(examining, "pair", killed)
    with pytest.raises(KeyboardInterrupt):
        examining.draw_missing(settings, dogs, lambda _done, _total: None)
    monkeypatch.undo()
    assert grid.counts(dogs, 8)["duplicates"] == 0
    examining.draw_missing(settings, dogs, lambda _done, _total: None)
    assert grid.counts(dogs, 8)["duplicates"] == 2


def opened(folder, name):
    with Image.open(folder / name) as image:
        image.load()
        return image


def test_what_is_drawn_anew_of_cmyk_has_no_profile_of_colours_that_it_no_longer_has(dogs):
    folder = Path(dogs.path)
    for name in ("ink.jpg", "print.tif"):
        Image.new("CMYK", (64, 48), (200, 9, 9, 0)).save(folder / name, icc_profile=b"ink" * 99)
    scanning.scan(dogs)
    pictures.turn(dogs, DatasetItem.query.filter_by(name="ink.jpg").one(), "left")
    fixing.fix(dogs, "convert")
    for name in ("ink.jpg", "print.jpg"):
        image = opened(folder, name)
        assert (image.mode, image.info.get("icc_profile")) == ("RGB", None)


def test_a_gif_with_a_transparent_colour_stays_transparent(dogs):
    folder = Path(dogs.path)
    Image.new("P", (64, 64), 3).save(folder / "sticker.gif", transparency=3)
    scanning.scan(dogs)
    fixing.fix(dogs, "convert")
    assert opened(folder, "sticker.png").getpixel((0, 0))[3] == 0


def test_a_disk_that_is_full_amid_a_conversion_changes_nothing(dogs, monkeypatch):
    def full(_source, _stem):
        raise OSError(28, "No space left on device")

    Image.new("RGB", (32, 32)).save(Path(dogs.path) / "c.gif")
    monkeypatch.setattr(fixing.pixels, "convert", full)
    with pytest.raises(UserError, match=r"The disk is full\. Nothing was changed"):
        fixing.fix(dogs, "convert")
    assert names(dogs) == ["a.png", "a.txt", "b.png", "b.txt", "c.gif"]
    assert DatasetEdit.query.count() == 0


def test_a_fix_that_there_is_not_is_refused_with_those_there_are(dogs):
    with pytest.raises(UserError, match=r"There is no fix 'all'\. There are: .*, convert, turn"):
        fixing.order(dogs, "all")
    assert tasks.active() == []
