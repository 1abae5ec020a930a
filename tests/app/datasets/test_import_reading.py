"""An import reads each file once, and goes on where it was cut."""

from __future__ import annotations

import errno

import pytest

from app import tasks
from app.datasets import examining, grid, health, library, reading, thumbnails
from app.errors import UserError
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
    return sorted((platform.settings.data_dir / "cache" / "thumbnails" / str(dataset.id)).iterdir())


def test_an_import_reads_each_file_once_for_thumbnails_report_and_likeness(
    empty, bring, platform, monkeypatch
):
    one = picture(1)
    bring(empty, **{"z.zip": zip_of({"d/a.png": one, "d/b.png": one}), "c.jpg": picture(3, "JPEG")})
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
    from app.datasets.importing import moving, running

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
    assert not [p for p in library.folder(empty).iterdir() if p.name.startswith(running._STAGING)]


def test_a_full_disk_while_a_thumbnail_is_kept_blames_no_picture(empty, bring, monkeypatch):
    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(thumbnails, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        bring(empty, **{"a.png": picture(1)})
    monkeypatch.undo()
    assert library.get(empty.id).files == 0
