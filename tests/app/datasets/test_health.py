"""The health report: what each kind of trouble is called, and that a restart goes on."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image, ImageCms

from app.datasets import editing, examining, fixing, grid, health, library, scanning, thumbnails
from app.db import db
from app.errors import UserError
from app.models import DatasetItem
from tests.support.pictures import dataset, picture
from tests.support.platform import make_app


@pytest.fixture
def dogs(tmp_path):
    with make_app(tmp_path).app_context():
        yield dataset(tmp_path / "dogs", {"a.png": "ohwx dog", "b.png": "a dog"})


def found(dogs, resolution=32):
    examining.examine(dogs, lambda _done, _total: None)
    return {f.key: f for f in health.examine(dogs, resolution).findings}


def test_a_sound_dataset_has_no_findings_and_every_picture_was_read(dogs):
    assert found(dogs) == {}
    assert health.examine(dogs, 32).unexamined == 0


def test_each_trouble_is_found_and_named(dogs):
    folder = editing.Path(dogs.path)
    dogs.trigger_word = "ohwx"
    picture(folder / "wide.png", (200, 40), seed=5)
    picture(folder / "Mixed.Png", seed=6)
    picture(folder / "UP.PNG", seed=7)
    (folder / "UP.TXT").write_text("ohwx up")
    (folder / "photo.heic").write_bytes(b"x")
    (folder / "zero.png").write_bytes(b"")
    (folder / "empty.txt").write_text("")
    picture(folder / "empty.png", seed=8)
    scanning.scan(dogs)
    seen = found(dogs)
    assert seen["case"].names == ("Mixed.Png", "UP.TXT")
    assert seen["upper"].names == ("UP.PNG",)
    assert seen["trigger"].names == ("b.png",)
    assert seen["trigger"].severity == "note"  # both engines are told to put it in front
    assert seen["extreme"].names == ("wide.png",)
    assert seen["format"].names == ("photo.heic",)
    assert seen["unreadable"].names == ("zero.png",)
    assert seen["empty"].names == ("empty.txt",)
    assert seen["unreadable"].severity == seen["empty"].severity == "stops"
    assert "small" not in seen
    assert "small" in found(dogs, 1024)


def test_pixels_that_engines_read_otherwise_are_found_and_made_plain(dogs):
    folder = editing.Path(dogs.path)
    Image.new("CMYK", (64, 64), (9, 200, 30, 0)).save(folder / "cmyk.jpg")
    Image.linear_gradient("L").convert("I;16").point(lambda v: v * 256).save(folder / "deep.png")
    Image.linear_gradient("L").convert("RGBA").save(folder / "alpha.png")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture(folder / "lab.png", seed=3)
    Image.open(folder / "lab.png").save(folder / "lab.png", icc_profile=lab)
    turned = Image.linear_gradient("L").resize((64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif)
    scanning.scan(dogs)
    seen = found(dogs)
    assert seen["cmyk"].names == ("cmyk.jpg", "deep.png")
    assert seen["profile"].names == ("lab.png",)
    assert "alpha.png" in seen["alpha"].names
    assert seen["turned"].names == ("turned.jpg",)
    fixing.fix(dogs, "turn")
    edit = fixing.fix(dogs, "to_rgb")
    with Image.open(folder / "turned.jpg") as image:
        assert image.size == (32, 64)
    with Image.open(folder / "deep.png") as image:
        assert image.mode == "RGB"
        assert image.getextrema()[0][1] > 250, "16 bits are scaled, not cut off"
    assert not {"cmyk", "profile", "alpha", "turned"} & set(found(dogs))
    editing.undo(dogs, edit)
    assert "cmyk" in found(dogs)


def test_copies_and_near_copies_are_told_apart(dogs):
    folder = editing.Path(dogs.path)
    shutil.copy(folder / "a.png", folder / "z.png")
    Image.open(folder / "b.png").convert("RGB").resize((120, 90)).save(folder / "b-large.jpg")
    scanning.scan(dogs)
    seen = found(dogs)
    assert seen["same"].names == ("z.png",)
    assert set(seen["near"].names) == {"b.png", "b-large.jpg"}
    assert grid.counts(dogs, 32)["duplicates"] == 4
    fixing.fix(dogs, "remove_duplicates")
    assert "same" not in found(dogs)
    assert (folder / "a.png").exists()


def test_the_thumbnails_read_for_the_report_too_and_sixteen_bits_are_drawn(dogs, tmp_path):
    settings = library.settings()
    deep = Image.linear_gradient("L").convert("I;16").point(lambda v: v * 256)
    deep.save(editing.Path(dogs.path) / "deep.png")
    scanning.scan(dogs)
    made = examining.draw_missing(settings, dogs, lambda _done, _total: None)
    assert made == {"made": 3, "broken": 0}
    assert health.examine(dogs, 32).unexamined == 0
    item = db.session.query(DatasetItem).filter_by(name="deep.png").one()
    path = thumbnails.path_of(settings, dogs.id, item.name, item.mtime_ns, item.size)
    with Image.open(path) as small:
        assert small.convert("L").getextrema()[1] > 240, "16 bits are scaled, not cut off"


def test_a_report_that_was_cut_goes_on_with_the_rest(dogs):
    read = []

    def cut(done, _total):
        read.append(done)
        if done:
            raise KeyboardInterrupt

    for seed in range(10, 10 + examining._BATCH):
        picture(editing.Path(dogs.path) / f"{seed}.png", (16, 16), seed=seed)
    with pytest.raises(KeyboardInterrupt):
        examining.examine(dogs, cut)
    db.session.rollback()
    rest = examining._BATCH + 2 - read[-1]
    assert health.examine(dogs, 8).unexamined == rest > 0
    assert examining.examine(dogs, lambda _done, _total: None) == rest


def test_a_picture_that_changed_is_read_again_and_no_other(dogs):
    found(dogs)
    picture(editing.Path(dogs.path) / "a.png", (80, 80), seed=9)
    assert examining.examine(dogs, lambda _done, _total: None) == 1


def test_captions_of_another_encoding_or_ending_and_clashing_names_are_put_right_by_a_click(dogs):
    folder = editing.Path(dogs.path)
    (folder / "a.txt").write_bytes("café".encode("cp1252"))
    (folder / "b.txt").rename(folder / "b.caption")
    picture(folder / "A.png", seed=9)
    (folder / "A.txt").write_text("another")
    (folder / "C.png").write_bytes(picture(folder / "c.png", seed=11).read_bytes()[:-4] + b"more")
    (folder / "c.txt").write_text("only the second has one")
    scanning.scan(dogs)
    seen = found(dogs)
    assert [seen[k].fix for k in ("encoding", "ending", "clash")] == [
        "reencode", "own_ending", "part_names",
    ]  # fmt: skip
    edits = [fixing.fix(dogs, key) for key in ("reencode", "own_ending", "part_names")]
    assert set(found(dogs)) == {"missing", "near"}
    assert {i.name: i.caption for i in DatasetItem.query.filter_by(trashed="")} == {
        "A.png": "another", "a (2).png": "café", "b.png": "a dog",
        "C.png": None, "c (2).png": "only the second has one",
    }  # fmt: skip
    assert not any(fixing.fix(dogs, key) for key in ("reencode", "own_ending", "part_names"))
    for edit in reversed(edits):
        editing.undo(dogs, edit)
    assert (folder / "a.txt").read_bytes() == b"caf\xe9"
    assert (folder / "b.caption").exists()
    assert (folder / "A.txt").read_text() == "another"


def test_formats_that_no_engine_reads_are_converted_by_a_click_and_come_back(dogs):
    folder = editing.Path(dogs.path)
    Image.linear_gradient("L").convert("RGB").save(folder / "photo.avif")
    (folder / "photo.txt").write_text("a photo")
    (folder / "torn.gif").write_bytes(b"GIF89a")
    scanning.scan(dogs)
    assert found(dogs)["format"].fix == "convert"
    edit = fixing.fix(dogs, "convert")
    assert found(dogs)["format"].names == ("torn.gif",)
    item = DatasetItem.query.filter_by(name="photo.jpg").one()
    assert (item.format, item.caption) == ("JPEG", "a photo")
    with pytest.raises(UserError, match="None of them can be read"):
        fixing.fix(dogs, "convert")
    editing.undo(dogs, edit)
    assert (folder / "photo.avif").exists()
    assert not (folder / "photo.jpg").exists()


def test_endings_are_lowered_with_their_captions_and_the_row_stays(dogs):
    folder = editing.Path(dogs.path)
    picture(folder / "UP.PNG", seed=7)
    (folder / "UP.TXT").write_text("up")
    scanning.scan(dogs)
    row = db.session.query(DatasetItem).filter_by(name="UP.PNG").one()
    edit = fixing.fix(dogs, "lower_endings")
    db.session.refresh(row)
    assert (row.name, row.caption) == ("UP.png", "up")
    editing.undo(dogs, edit)
    assert sorted(p.name for p in folder.glob("UP*")) == ["UP.PNG", "UP.TXT"]
    assert library.get(dogs.id).images == 3
