"""An import reads each file once, and goes on where it was cut."""

from __future__ import annotations

import errno

import pytest

from app import tasks
from app.datasets import (
    cached,
    editing,
    examining,
    grid,
    health,
    library,
    reading,
    scanning,
    thumbnails,
    uploads,
)
from app.errors import UserError
from app.models import DatasetEdit, DatasetItem
from tests.support.zips import picture, tree, zip_of


def test_a_killed_import_goes_on_where_it_was(empty, bring, platform, monkeypatch):
    from app.datasets.importing import moving

    real, moved = moving._free, []

    def dies_after_one(target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return real(target)

    monkeypatch.setattr(moving, "_free", dies_after_one)
    with pytest.raises(KeyboardInterrupt):
        bring(empty, **{"a.png": picture(1), "b.png": picture(2)})
    assert len([n for n in tree(library.folder(empty)) if "/" not in n]) == 1
    monkeypatch.setattr(moving, "_free", real)
    assert platform.tasks.run_all()[0] == ""
    assert list(tree(library.folder(empty))) == ["a.png", "b.png"]


def _no_reading(*_given, **_more):
    raise AssertionError("it was read again")


def _drawn(platform, dataset):
    return sorted(cached.thumbnails_of(platform.settings, dataset.id).iterdir())


def test_an_import_reads_each_file_once_for_thumbnails_report_and_likeness(
    empty, bring, platform, monkeypatch
):
    one, read, real = picture(1), [], reading.read

    def counting(path, name, *given, **more):
        read.append(name)
        return real(path, name, *given, **more)

    monkeypatch.setattr(reading, "read", counting)
    bring(empty, **{"z.zip": zip_of({"d/a.png": one, "d/b.png": one}), "c.jpg": picture(3, "JPEG")})
    assert sorted(read) == ["a.png", "b.png", "c.jpg"]
    dataset = library.get(empty.id)
    assert len(_drawn(platform, dataset)) == 3
    assert [task.kind for task in tasks.find(f"dataset:{dataset.id}")] == ["dataset.import"]
    monkeypatch.setattr(reading, "read", _no_reading)
    found = health.examine(dataset, 16)
    assert found.unexamined == 0
    assert {f.key: f.names for f in found.findings}["same"] == ("b.png",)
    assert grid.counts(dataset, 16)["duplicates"] == 2
    assert examining.examine(dataset, lambda _done, _total: None) == 0


def test_a_torn_picture_comes_in_and_is_named_at_once(empty, bring):
    whole = picture(1, "JPEG")
    result = bring(empty, **{"torn.jpg": whole[:-50], "good.jpg": whole})
    assert [note["names"] for note in result["notes"] if "torn" in note["what"]] == [["torn.jpg"]]
    found = {f.key: f for f in health.examine(library.get(empty.id), 16).findings}
    assert found["unreadable"].names == ("torn.jpg",)
    assert "truncated" in found["unreadable"].told[0]


def test_an_import_that_goes_on_reads_nothing_again(empty, bring, platform, monkeypatch):
    from app.datasets.importing import moving

    def dies(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(moving, "carry_out", dies)
    with pytest.raises(KeyboardInterrupt):
        bring(empty, **{"z.zip": zip_of({"a.png": picture(1), "b.png": picture(2)})})
    monkeypatch.undo()
    monkeypatch.setattr(reading, "read", _no_reading)
    assert platform.tasks.run_all() == [""]
    assert health.examine(library.get(empty.id), 16).unexamined == 0
    assert len(_drawn(platform, empty)) == 2
    assert not [p for p in library.folder(empty).iterdir() if p.name.startswith(".incoming-")]


def test_a_scan_that_came_first_takes_nothing_of_what_the_import_saw(empty, bring, monkeypatch):
    from app.datasets.importing import moving

    real = moving.carry_out

    def looked_at_meanwhile(*given):
        left = real(*given)
        scanning.scan(empty)  # as the list of datasets has it done
        return left

    monkeypatch.setattr(moving, "carry_out", looked_at_meanwhile)
    bring(empty, **{"a.png": picture(1), "b.png": picture(1)})
    found = health.examine(library.get(empty.id), 16)
    assert found.unexamined == 0
    assert {f.key: f.names for f in found.findings}["same"] == ("b.png",)


def test_a_picture_under_the_name_of_a_clip_is_read_as_a_picture(empty, bring):
    torn = picture(1, "JPEG")[:-50]
    result = bring(empty, **{"z.zip": zip_of({"a.mp4": picture(2), "torn.mp4": torn})})
    assert [note["names"] for note in result["notes"] if "torn" in note["what"]] == [["torn.mp4"]]
    assert [task.kind for task in tasks.find(f"dataset:{empty.id}")] == ["dataset.import"]
    rows = {row.name: row for row in DatasetItem.query.filter_by(dataset_id=empty.id)}
    assert (rows["a.png"].width, rows["a.png"].height) == (64, 48)
    assert "truncated" in rows["torn.jpg"].problem


def _dies(*_given, **_more):
    raise KeyboardInterrupt


def test_an_import_killed_before_its_scan_writes_its_edit_once(dog, bring, platform, monkeypatch):
    monkeypatch.setattr(scanning, "scan", _dies)
    with pytest.raises(KeyboardInterrupt):
        bring(dog, **{"0.txt": b"better"})
    monkeypatch.undo()
    assert set(platform.tasks.run_all()) == {""}
    editing.undo(dog, DatasetEdit.query.one())
    assert (library.folder(dog) / "0.txt").read_text() == "shape 0"


def test_an_import_killed_while_it_cleans_up_is_finished_by_the_next_try(
    empty, bring, platform, monkeypatch
):
    from app.datasets.importing import running

    real = running.shutil.rmtree

    def half(folder, **more):
        if (folder / "plan.json").exists():
            (folder / "plan.json").unlink()
            raise KeyboardInterrupt
        real(folder, **more)

    monkeypatch.setattr(running.shutil, "rmtree", half)
    with pytest.raises(KeyboardInterrupt):
        bring(empty, **{"a.png": picture(1)})
    monkeypatch.undo()
    assert platform.tasks.run_all() == [""]
    done = tasks.latest(f"dataset:{empty.id}", "dataset.import")
    assert tasks.result_of(done)["added"] == 1
    assert list(tree(library.folder(empty))) == ["a.png"]
    assert uploads.Uploads(platform.settings.data_dir, empty.id).all() == []


def test_a_full_disk_while_a_thumbnail_is_kept_blames_no_picture(empty, bring, monkeypatch):
    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(thumbnails, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        bring(empty, **{"a.png": picture(1)})
    monkeypatch.undo()
    assert library.get(empty.id).files == 0
