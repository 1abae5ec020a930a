"""A job tells whether its datasets are still what it trained on, hashing only what may differ."""

from __future__ import annotations

import os

import pytest

from app import datasets
from app.jobs import dataset_change
from app.jobs.rundir import RunDir, write_json_atomic
from tests.support.wait import until


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "dogs"
    found.mkdir()
    for name in ("a.png", "a.txt", "b.png"):
        (found / name).write_text(name)
    return found


@pytest.fixture
def run(tmp_path, folder):
    run = RunDir(tmp_path / "job")
    run.root.mkdir()
    card = {
        "datasets": {str(folder): datasets.fingerprint(folder)},
        "dataset_stamps": {str(folder): datasets.stamps(folder)},
    }
    write_json_atomic(run.root / "run-card.json", card)
    return run


def settled(run):
    return until(
        lambda: (found := dataset_change.since(run)) and not found[0].unsure and found[0],
        10,
        "known",
    )


def test_an_untouched_folder_is_known_without_reading_a_file(run):
    (change,) = dataset_change.since(run)
    assert (change.any, change.unsure) == (False, 0)


def test_what_was_added_removed_and_changed_is_counted(run, folder):
    (folder / "c.png").write_text("new")
    (folder / "b.png").unlink()
    (folder / "a.txt").write_text("another caption")
    change = settled(run)
    assert (change.added, change.removed, change.changed) == (1, 1, 1)


def test_a_file_that_was_only_touched_is_the_same(run, folder):
    os.utime(folder / "a.png", (1, 1))
    assert dataset_change.since(run)[0].unsure == 1
    assert not settled(run).any


def test_a_folder_that_is_gone_and_a_job_without_a_card_are_told(run, folder, tmp_path):
    folder.rename(tmp_path / "elsewhere")
    assert dataset_change.since(run)[0].missing
    assert dataset_change.since(RunDir(tmp_path / "none")) == []
