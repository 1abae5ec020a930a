"""Edits of captions and files: written down first, undone whole, finished after a cut."""

from __future__ import annotations

import fcntl
from types import SimpleNamespace

import pytest

from app.datasets import bulk, captioning, editing, grid, holding, pictures, scanning
from app.datasets.holding import exclusive
from app.datasets.steps import Step
from app.db import db
from app.errors import ConflictError, UserError
from app.models import DatasetItem
from tests.support.pictures import dataset
from tests.support.platform import make_app


@pytest.fixture
def dogs(tmp_path):
    with make_app(tmp_path).app_context():
        yield dataset(
            tmp_path / "dogs", {"a.png": "a dog, grass", "b.png": "a dog, sofa", "c.png": None}
        )


def folder(dogs):
    return editing.Path(dogs.path)


def item(dogs, name):
    rows = grid.page(dogs, grid.View()).items
    return next(row for row in rows if row.name == name)


def add_tag(dogs, kind="add_first", text="ohwx"):
    changes = bulk.changes(bulk.Operation(kind, text), grid.entries(dogs, grid.View()))
    names = grid.caption_names(dogs, [c.entry.id for c in changes])
    steps = [Step(names[c.entry.id], c.entry.id, c.entry.caption, c.after) for c in changes]
    return editing.make(dogs, kind, "tags", steps)


def test_an_edit_of_many_writes_every_caption_and_its_row_and_is_undone_whole(dogs):
    edit = add_tag(dogs)
    assert (folder(dogs) / "a.txt").read_text() == "ohwx, a dog, grass"
    assert (folder(dogs) / "c.txt").read_text() == "ohwx"
    assert item(dogs, "c.png").caption == "ohwx"
    assert dogs.captions == 3
    editing.undo(dogs, edit)
    assert (folder(dogs) / "a.txt").read_text() == "a dog, grass"
    assert not (folder(dogs) / "c.txt").exists()
    assert item(dogs, "c.png").caption is None
    with pytest.raises(ConflictError, match="already"):
        editing.undo(dogs, edit)


def test_undo_refuses_to_overwrite_what_was_changed_since_and_names_it(dogs):
    edit = add_tag(dogs)
    (folder(dogs) / "b.txt").write_text("written by hand")
    with pytest.raises(ConflictError, match=r"b\.txt"):
        editing.undo(dogs, edit)
    assert (folder(dogs) / "b.txt").read_text() == "written by hand"
    assert (folder(dogs) / "a.txt").read_text() == "ohwx, a dog, grass"


def test_an_edit_cut_in_the_middle_is_finished_and_leaves_alone_what_changed_meanwhile(dogs):
    steps = [
        Step("a.txt", item(dogs, "a.png").id, "a dog, grass", "one"),
        Step("b.txt", item(dogs, "b.png").id, "a dog, sofa", "two"),
        Step("c.txt", item(dogs, "c.png").id, None, "three"),
    ]
    edit = editing._add(dogs, "x", "three", steps, state="writing")
    (folder(dogs) / "a.txt").write_text("one")  # done before the cut
    (folder(dogs) / "b.txt").write_text("somebody else")
    editing.settle(dogs)
    assert edit.state == "done"
    assert "b.txt" in edit.summary
    assert (folder(dogs) / "b.txt").read_text() == "somebody else"
    assert (folder(dogs) / "c.txt").read_text() == "three"
    editing.undo(dogs, edit)
    assert (folder(dogs) / "a.txt").read_text() == "a dog, grass"
    assert not (folder(dogs) / "c.txt").exists()


def test_an_undo_cut_in_the_middle_is_finished_as_an_undo(dogs):
    edit = add_tag(dogs)
    edit.state = "undoing"
    db.session.commit()
    (folder(dogs) / "a.txt").write_text("a dog, grass")
    editing.settle(dogs)
    assert edit.undone
    assert (folder(dogs) / "b.txt").read_text() == "a dog, sofa"


def test_a_large_edit_is_left_to_a_task_and_undone_by_one(dogs, monkeypatch):
    monkeypatch.setattr(editing, "MOST_AT_ONCE", 2)
    edit = add_tag(dogs)
    assert edit.state == "writing"
    runner = editing.tasks.store.current_app.extensions["vast-lora"].tasks
    assert runner.run_all() == [""]
    db.session.refresh(edit)
    assert edit.state == "done"
    assert (folder(dogs) / "a.txt").read_text() == "ohwx, a dog, grass"
    editing.undo(dogs, edit)
    assert runner.run_all() == [""]
    assert (folder(dogs) / "a.txt").read_text() == "a dog, grass"


def test_a_caption_is_saved_over_the_version_it_was_based_on_and_no_other(dogs):
    a = item(dogs, "a.png")
    version = captioning.captions.version_of(a.caption)
    saved = captioning.save(dogs, a, "a big dog\r\n", version)
    assert (folder(dogs) / "a.txt").read_text() == "a big dog"
    with pytest.raises(captioning.CaptionConflictError) as refused:
        captioning.save(dogs, a, "a small dog", version)
    assert refused.value.theirs == "a big dog"
    assert (folder(dogs) / "a.txt").read_text() == "a big dog"
    again = captioning.save(dogs, a, "a very big dog", saved.version)
    assert again.edit == saved.edit, "what is typed in one go is one edit"
    editing.undo(dogs, editing.get(dogs, saved.edit))
    assert (folder(dogs) / "a.txt").read_text() == "a dog, grass"


def test_an_emptied_caption_leaves_no_file_since_an_empty_one_stops_a_run(dogs):
    a = item(dogs, "a.png")
    saved = captioning.save(dogs, a, " \n", captioning.captions.version_of(a.caption))
    assert not (folder(dogs) / "a.txt").exists()
    assert saved.text is None


def test_a_picture_is_turned_and_cropped_and_its_original_comes_back(dogs):
    original = (folder(dogs) / "a.png").read_bytes()
    turned = pictures.turn(dogs, item(dogs, "a.png"), "left")
    assert (item(dogs, "a.png").width, item(dogs, "a.png").height) == (48, 64)
    cropped = pictures.crop(dogs, item(dogs, "a.png"), pictures.Box(8, 4, 30, 20))
    assert (item(dogs, "a.png").width, item(dogs, "a.png").height) == (30, 20)
    with pytest.raises(ConflictError, match=r"a\.png"):
        editing.undo(dogs, turned)
    editing.undo(dogs, cropped)
    editing.undo(dogs, turned)
    assert (folder(dogs) / "a.png").read_bytes() == original
    assert item(dogs, "a.png").width == 64


def test_a_rectangle_outside_the_picture_is_refused_and_leaves_nothing(dogs):
    with pytest.raises(UserError, match="64x48"):
        pictures.crop(dogs, item(dogs, "a.png"), pictures.Box(60, 0, 30, 20))
    assert editing.latest(dogs) == []
    assert sorted(p.name for p in (folder(dogs) / ".trash").iterdir()) == ["lock"]


def test_a_deleted_picture_goes_with_its_caption_and_both_come_back_under_the_same_row(dogs):
    a = item(dogs, "a.png")
    edit = pictures.remove(dogs, [a], "delete", "a.png deleted")
    assert not (folder(dogs) / "a.txt").exists()
    assert [row.name for row in grid.page(dogs, grid.View()).items] == ["b.png", "c.png"]
    editing.undo(dogs, edit)
    assert (folder(dogs) / "a.txt").read_text() == "a dog, grass"
    assert db.session.get(DatasetItem, a.id, populate_existing=True).trashed == ""
    assert item(dogs, "a.png").caption == "a dog, grass"


def test_a_deletion_is_not_undone_over_a_new_file_of_that_name(dogs):
    edit = pictures.remove(dogs, [item(dogs, "a.png")], "delete", "a.png deleted")
    (folder(dogs) / "a.png").write_bytes(b"new")
    with pytest.raises(ConflictError, match=r"a\.png"):
        editing.undo(dogs, edit)
    assert (folder(dogs) / "a.png").read_bytes() == b"new"


def test_a_folder_that_cannot_be_written_is_told(dogs, monkeypatch):
    def refuse(*_words, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(editing.Path, "mkdir", refuse)
    with pytest.raises(UserError, match="cannot be written"):
        add_tag(dogs)


def test_a_request_does_not_wait_for_a_large_edit_but_says_that_it_runs(dogs, monkeypatch):
    monkeypatch.setattr(editing, "MOST_AT_ONCE", 2)
    add_tag(dogs)
    with pytest.raises(ConflictError, match="in the background"):
        add_tag(dogs, text="second")
    with (
        exclusive(dogs),
        pytest.raises(ConflictError, match="in the background"),
        exclusive(dogs, seconds=0.0),
    ):
        pass


def test_a_disk_that_is_full_in_the_middle_leaves_an_edit_to_go_on_with(dogs, monkeypatch):
    written = []

    def full(path, text, **_options):
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        path.write_text(text)

    monkeypatch.setattr("app.datasets.captions.write", full)
    with pytest.raises(UserError, match="No space left"):
        add_tag(dogs)
    a = item(dogs, "b.png")
    with pytest.raises(UserError, match="could not be written"):
        captioning.save(dogs, a, "new", captioning.captions.version_of("a dog, sofa"))
    monkeypatch.undo()
    (edit,) = editing.latest(dogs)
    assert edit.state == "writing"
    editing.settle(dogs)
    assert (folder(dogs) / "b.txt").read_text() == "ohwx, a dog, sofa"


def test_a_caption_that_became_no_text_is_neither_undone_nor_gone_on_with(dogs):
    edit = add_tag(dogs)
    (folder(dogs) / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConflictError, match=r"Changed since: b\.txt"):
        editing.undo(dogs, edit)
    later = editing._add(
        dogs, "x", "two", [Step("b.txt", item(dogs, "b.png").id, "ohwx", "two")], state="writing"
    )
    editing.settle(dogs)
    assert "b.txt" in later.summary
    assert (folder(dogs) / "b.txt").read_bytes() == b"\xff\xfe"
    assert (folder(dogs) / "a.txt").read_text() == "ohwx, a dog, grass"


def test_a_caption_that_is_deleted_as_it_is_saved_is_gone_at_the_next_scan(dogs, monkeypatch):
    monkeypatch.setattr(captioning.captions, "write", lambda path, _text: path.unlink())
    saved = captioning.save(
        dogs, item(dogs, "a.png"), "new", captioning.captions.version_of("a dog, grass")
    )
    assert saved.text == "new"
    scanning.scan(dogs)
    assert item(dogs, "a.png").caption is None


def test_a_change_waits_for_one_that_is_nearly_done(dogs, monkeypatch):
    with exclusive(dogs) as place:
        held = (place / ".trash/lock").open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _seconds: held.close())
    monkeypatch.setattr(holding, "time", clock)
    add_tag(dogs)
    assert held.closed
    assert (folder(dogs) / "a.txt").read_text() == "ohwx, a dog, grass"


def test_a_caption_that_is_no_text_is_not_overwritten(dogs):
    (folder(dogs) / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-8"):
        captioning.save(dogs, item(dogs, "a.png"), "new", "none")
    assert (folder(dogs) / "a.txt").read_bytes() == b"\xff\xfe"
