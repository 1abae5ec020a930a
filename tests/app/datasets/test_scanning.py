"""The rows follow the folder: new, changed, gone; captions by stem; only what changed is opened."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from app import tasks
from app.datasets import health, library, scanning, walking
from app.datasets.cached import scan_lock_of
from app.db import db
from app.errors import UserError
from app.models import DatasetItem


def items(dataset):
    found = db.session.scalars(
        select(DatasetItem).where(DatasetItem.dataset_id == dataset.id).order_by(DatasetItem.name)
    )
    return {item.name: item for item in found}


def test_a_scan_measures_pictures_and_reads_their_captions(dog):
    found = items(dog)
    assert list(found) == ["0.png", "1.png", "2.png"]
    first = found["0.png"]
    assert (first.width, first.height, first.format, first.caption) == (64, 48, "PNG", "shape 0")
    assert (dog.files, dog.images, dog.captions, dog.videos) == (3, 3, 3, 0)


def test_nothing_new_leaves_the_version_and_opens_no_file(dog, monkeypatch):
    monkeypatch.setattr(scanning, "see_picture", None)
    version = dog.version
    assert scanning.scan(dog)
    assert dog.version == version


def test_changes_of_files_and_captions_are_seen(dog):
    folder, version = library.folder(dog), dog.version
    Image.new("RGB", (32, 32)).save(folder / "0.png")
    (folder / "1.txt").write_text("another shape")
    (folder / "2.png").unlink()
    (folder / "clip.mp4").write_bytes(b"x")
    (folder / "sub").mkdir()
    Image.new("RGBA", (8, 9)).save(folder / "sub" / "late.webp")
    (folder / "sub" / "late.caption").write_text("late")
    assert scanning.scan(dog)
    found = items(dog)
    assert list(found) == ["0.png", "1.png", "clip.mp4", "sub/late.webp"]
    assert (found["0.png"].width, found["1.png"].caption) == (32, "another shape")
    late = found["sub/late.webp"]
    assert (late.transparent, late.caption, late.caption_name) == (True, "late", "sub/late.caption")
    assert (dog.videos, dog.version) == (1, version + 1)


def test_broken_pictures_and_foreign_captions_are_kept_with_their_reason(dog):
    folder = library.folder(dog)
    (folder / "0.png").write_bytes(b"no picture")
    (folder / "1.png").write_bytes(b"")
    (folder / "2.txt").write_bytes(b"caf\xe9")
    scanning.scan(dog)
    found = items(dog)
    assert "cannot identify" in found["0.png"].problem
    assert "0 bytes" in found["1.png"].problem
    assert found["2.png"].caption == "caf\ufffd"


def test_the_row_of_a_removed_picture_stays_while_its_file_is_in_the_trash(dog):
    folder = library.folder(dog)
    items(dog)["0.png"].trashed = "7"
    db.session.commit()
    (folder / "0.png").rename(folder / ".0.png")
    scanning.scan(dog)
    assert items(dog)["0.png"].trashed == "7"
    assert dog.files == 2
    (folder / ".0.png").rename(folder / "0.png")
    scanning.scan(dog)
    assert items(dog)["0.png"].trashed == ""
    assert dog.files == 3


def test_a_large_change_is_left_to_a_task(dog, platform, monkeypatch):
    monkeypatch.setattr(scanning, "INLINE_FILES", 1)
    monkeypatch.setattr(scanning, "FRESH_SECONDS", 0.0)
    for index in range(3):
        os.utime(library.folder(dog) / f"{index}.png", (1, 1))
    assert not scanning.refresh(dog)
    assert not scanning.refresh(dog)
    assert [task.kind for task in tasks.active()] == ["dataset.scan"]
    assert platform.tasks.run_all() == ["", ""], "its thumbnails follow"
    assert scanning.refresh(dog)


def test_a_lost_folder_is_one_sentence(dog):
    library.folder(dog).rename(library.folder(dog).with_name("elsewhere"))
    with pytest.raises(UserError, match="cannot be read"):
        scanning.scan(dog)


def test_a_name_that_is_no_text_is_left_out_and_told_not_the_end_of_every_page(dog):
    folder = os.fsencode(library.folder(dog))
    for name in (b"caf\xe9.png", b"\x93\x8c/4.png"):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy(os.path.join(folder, b"0.png"), os.path.join(folder, name))
    assert scanning.scan(dog)
    assert list(items(dog)) == ["0.png", "1.png", "2.png"]
    (told,) = [f for f in health.examine(dog, 64).findings if f.key == "unnamed"]
    assert told.names == ("caf?.png", "??")


def test_a_folder_whose_name_is_no_text_is_no_dataset(app):
    root = library.settings().datasets_dir
    (root / "good").mkdir(parents=True)
    odd = os.fsdecode(os.fsencode(root) + b"/caf\xe9")
    os.mkdir(odd)
    assert [dataset.name for dataset in library.find_folders()] == ["good"]
    with pytest.raises(UserError, match=r"The name of .*/caf\? is not UTF-8 text\. Rename it"):
        library.register(Path(odd))


def test_a_page_does_not_wait_for_a_scan_that_runs(dog, monkeypatch):
    monkeypatch.setattr(scanning, "FRESH_SECONDS", 0.0)
    (library.folder(dog) / "0.png").unlink()
    with scan_lock_of(library.settings(), dog.id).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not scanning.refresh(dog)
        assert len(items(dog)) == 3
    assert [task.kind for task in tasks.active()] == ["dataset.scan"]


def test_a_caption_that_is_gone_when_its_turn_comes_is_none_and_read_when_it_is_back(
    dog, monkeypatch
):
    caption = library.folder(dog) / "0.txt"
    caption.write_text("another")
    listing = walking.walk(library.folder(dog), recursive=True)
    caption.unlink()
    monkeypatch.setattr(scanning, "walk", lambda _root, recursive: listing)
    scanning.scan(dog)
    assert items(dog)["0.png"].caption is None
    monkeypatch.undo()
    caption.write_text("it is back")
    scanning.scan(dog)
    assert items(dog)["0.png"].caption == "it is back"


def test_what_cannot_be_listed_leaves_the_rest_of_the_folder_readable(dog, monkeypatch):
    (library.folder(dog) / "round.png").symlink_to("round.png")
    (library.folder(dog) / "closed").mkdir()
    real = os.scandir

    def closed(path):
        if str(path).rstrip("/").endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert scanning.scan(dog)
    assert list(items(dog)) == ["0.png", "1.png", "2.png"]
