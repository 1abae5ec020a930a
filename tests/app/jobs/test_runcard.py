"""The run card's sums: each dataset is read once, however often a job begins again, and one at a time."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from app import datasets
from app.jobs import runcard
from app.jobs.rundir import RunDir, read_json
from tests.support.wait import until


@pytest.fixture
def run(tmp_path):
    (tmp_path / "jobs" / "1").mkdir(parents=True)
    return RunDir(tmp_path / "jobs" / "1")


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "dog"
    folder.mkdir()
    (folder / "a.txt").write_text("a dog")
    return SimpleNamespace(datasets=(SimpleNamespace(path=str(folder)),))


def sums(run):
    return (read_json(run.run_card) or {}).get("datasets")


def written(run, spec):
    runcard.fingerprint_later(run, spec)
    until(lambda: not working(), 10, "the sums are written")
    return sums(run)


def working():
    return [one for one in threading.enumerate() if one.name.startswith("fingerprint")]


def test_an_attempt_that_goes_on_with_the_same_files_reads_none_of_them_again(
    run, spec, tmp_path, monkeypatch
):
    first = written(run, spec)
    assert set(first[str(tmp_path / "dog")]) == {"a.txt"}
    read = []
    real = datasets.fingerprint
    monkeypatch.setattr(datasets, "fingerprint", lambda path: read.append(path) or real(path))
    assert written(run, spec) == first
    assert read == []
    (tmp_path / "dog" / "b.txt").write_text("another dog")
    assert set(written(run, spec)[str(tmp_path / "dog")]) == {"a.txt", "b.txt"}
    assert read == [tmp_path / "dog"]


def test_however_many_jobs_begin_one_dataset_is_read_at_a_time(run, spec, tmp_path, monkeypatch):
    at_once, most, gate = [], [0], threading.Event()

    def slow(path):
        at_once.append(path)
        most[0] = max(most[0], len(at_once))
        gate.wait(10)
        at_once.remove(path)
        return {}

    monkeypatch.setattr(datasets, "fingerprint", slow)
    others = [RunDir(tmp_path / "jobs" / str(n)) for n in range(2, 6)]
    for one in others:
        one.root.mkdir()
        runcard.fingerprint_later(one, spec)
    until(lambda: at_once, 10, "one is read")
    gate.set()
    until(lambda: all(sums(one) is not None for one in others), 10, "all are read")
    assert most == [1]
