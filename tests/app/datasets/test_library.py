"""Datasets made, named, deleted and had back, also where the folder or a name is gone by then."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from app import tasks
from app.datasets import importing, library, removing
from app.errors import ConflictError, UserError


def folders():
    return sorted(path.name for path in library.settings().datasets_dir.iterdir())


def test_a_name_that_a_folder_or_a_dataset_has_is_refused_and_nothing_is_made(dog, tmp_path):
    (library.settings().datasets_dir / "Fox").mkdir()
    for taken in ("fox", "DOG"):
        with pytest.raises(ConflictError, match=r"already\. Choose another name"):
            library.create(taken)
    with pytest.raises(ConflictError, match="There is a folder Fox already"):
        library.rename(dog, "Fox")
    library.create("cat")
    with pytest.raises(ConflictError, match="There is a dataset cat already"):
        library.rename(dog, "cat")
    assert folders() == ["Fox", "cat", "dog"]
    assert library.get(dog.id).path.endswith("/dog")


def test_a_name_taken_by_another_request_a_moment_ago_leaves_no_folder(app, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere"
    other.mkdir()
    library.register(other)
    monkeypatch.setattr(library, "_named", lambda _name: None)  # it looked before that was there
    with pytest.raises(ConflictError, match=r"a dataset elsewhere already\. Choose another"):
        library.create("elsewhere")
    monkeypatch.undo()
    assert folders() == []
    assert [found.name for found in library.find_folders()] == []


def test_a_folder_that_two_requests_register_at_once_is_one_dataset(app, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    first = library.register(folder)
    real, looks = library.by_path, []

    def before_the_other(path):
        looks.append(path)
        return real(path) if len(looks) > 1 else None

    monkeypatch.setattr(library, "by_path", before_the_other)
    monkeypatch.setattr(library, "_free_name", lambda name: name)
    assert library.register(folder).id == first.id
    assert len(library.all()) == 1


def test_a_folder_that_may_not_be_read_is_no_dataset(app, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(UserError, match=r"cannot be read\. Give this program the right to read it"):
        library.register(folder)
    assert library.all() == []


def test_a_dataset_whose_folder_is_lost_keeps_its_name_and_says_so(dog):
    shutil.rmtree(library.folder(dog))
    with pytest.raises(UserError, match=r"The folder of dog, .* cannot be renamed: No such file"):
        library.rename(dog, "wolf")
    assert (library.get(dog.id).name, folders()) == ("dog", [])


def test_a_dataset_that_pictures_come_into_is_not_deleted(dog):
    importing.from_url(dog, "http://127.0.0.1:9/a.zip")
    with pytest.raises(ConflictError, match=r"being brought into dog\. Cancel that first"):
        removing.remove(dog)
    assert library.get(dog.id).name == "dog"


def test_a_dataset_whose_folder_was_lost_is_had_back_as_it_was(dog, platform):
    folder = library.folder(dog)
    shutil.rmtree(folder)
    removing.remove(dog)
    back = removing.restore(dog.id)
    assert (back.name, Path(back.path), back.removed) == ("dog", folder, None)
    assert tasks.active(removing.KIND) == []


def test_a_dataset_that_is_being_deleted_for_good_is_not_had_back(dog):
    removing.remove(dog)
    purge = tasks.latest(f"dataset-removed:{dog.id}", removing.KIND)
    tasks.store.change(purge.id, state="running", started=time.time())
    with pytest.raises(ConflictError, match="dog is being deleted already"):
        removing.restore(dog.id)
    assert [removing.shown_name(found) for found in removing.removed()] == ["dog"]
