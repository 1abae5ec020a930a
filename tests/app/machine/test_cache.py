"""The cache stays below its limit, and what belongs to nothing goes."""

from __future__ import annotations

import os
import time

import pytest

from app import tasks
from app.datasets import library
from app.datasets.importing import staging
from app.machine import cache
from app.platform import EXTENSION
from app.preferences import save
from app.tasks import store
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        yield app


def kept(folder, name, size, days):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    told = time.time() - days * 86400
    os.utime(path, (told, told))
    return path


def test_strays_go_first_then_what_was_not_used_the_longest(app):
    platform = app.extensions[EXTENSION]
    folder = platform.settings.cache_dir
    number = library.create("dog").id
    stray = kept(folder, "thumbnails/99/a.webp", 10, 0)
    cut = kept(folder, f"thumbnails/{number}/.incoming-7/a.webp", 10, 0)
    os.utime(cut.parent, (1, 1))
    files = [kept(folder, f"thumbnails/{number}/{n}.webp", 40_000_000, n) for n in range(4)]
    forgotten = kept(folder, "sums/old.json", 10, 100)
    save(cache.CachePreferences(limit_gb=0.1))
    task = cache.start()
    assert cache.start().id == task.id, "one at a time"
    assert platform.tasks.run_all() == [""]
    assert [path.exists() for path in (*files, stray, cut, forgotten)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    found = tasks.result_of(tasks.get(task.id))
    assert found == {"bytes": 80_000_000, "files": 2, "freed": 80_000_030}


def test_it_is_looked_at_by_itself_now_and_then(app, monkeypatch):
    watcher = cache.Watcher()
    watcher.tick()
    assert tasks.latest(cache.SUBJECT) is None, "a start has more to do"
    now = time.monotonic()
    monkeypatch.setattr(cache.time, "monotonic", lambda: now + 600)
    watcher.tick()
    watcher.tick()
    assert len(tasks.find(cache.SUBJECT)) == 1


def test_what_uploads_and_imports_left_goes_when_nobody_can_go_on_with_it(app):
    platform = app.extensions[EXTENSION]
    dataset = library.create("dog")
    ended = {}
    for name, days in (("failed", 0), ("forgotten", 0), ("old", 2)):
        task = tasks.start("dataset.import", f"dataset:{dataset.id}", {"dataset": dataset.id})
        store.change(task.id, state="cancelled", finished=time.time() - days * 86400)
        ended[name] = staging.folder_of(library.folder(dataset), task.id)
        kept(ended[name], "raw/a.png", 10, 0)
    tasks.forget(tasks.get(int(ended["forgotten"].name.rpartition("-")[2])))
    half = kept(platform.settings.data_dir / f"uploads/{dataset.id}/abc", "part", 10, 4)
    cache.start()
    assert platform.tasks.run_all() == [""]
    assert {name for name, folder in ended.items() if folder.exists()} == {"failed"}
    assert not half.exists()


def test_logs_that_say_nothing_are_old_or_were_dismissed_go_with_the_marks_of_what_is_over(app):
    platform = app.extensions[EXTENSION]
    folder = platform.settings.data_dir / "tasks"
    done = tasks.start("model.scan", "models")
    store.change(done.id, state="done", finished=time.time())
    runs = tasks.start("model.scan", "models")
    store.change(runs.id, state="running")
    kept(folder, f"{done.id}.log", 9, 1)
    told = kept(folder, f"{runs.id}.log", 0, 1), kept(folder, f"{runs.id}.sent", 0, 1)
    gone = [kept(folder, "98.log", 9, 1), kept(folder, f"{done.id}.sent", 0, 1)]
    cache.start()
    assert platform.tasks.run_all() == [""]
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in told)
    log = kept(folder, f"{done.id}.log", 9, 91)
    cache.start()
    platform.tasks.run_all()
    assert not log.exists()
