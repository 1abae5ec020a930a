"""Background work runs in a child, tells how far it is, and survives the server."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from app.errors import ConflictError
from app.platform import EXTENSION
from app.tasks import KINDS, Kind, Runner, store
from app.tasks.runner import log as runner_log
from tests.support.platform import make_app
from tests.support.wait import until


@pytest.fixture(autouse=True)
def _kind(monkeypatch):
    monkeypatch.setitem(KINDS, "count", Kind("tests.support.tasks:count", "disk", "Counting"))


@pytest.fixture
def app(tmp_path):
    return make_app(tmp_path)


@pytest.fixture
def runner(app):
    made = Runner(app, app.extensions[EXTENSION].settings, wake=lambda: None)
    yield made
    made.quit()
    until(lambda: not made._children, 20, "every child is gone")


def work(app, tmp_path, to, **more):
    with app.app_context():
        task = store.start("count", "thing:1", {"file": str(tmp_path / "n"), "to": to, **more})
        return task.id


def ticked_until(app, runner, task_id, *states):
    def look():
        with app.app_context():
            runner.tick()
            task = store.get(task_id)
            return task if task.state in states else None

    return until(look, 20, f"the task is {' or '.join(states)}")


def test_work_is_done_by_a_child_and_its_result_is_kept(app, runner, tmp_path):
    task_id = work(app, tmp_path, 3)
    task = ticked_until(app, runner, task_id, "done")
    assert store.result_of(task) == {"counted": 3}
    assert (task.done, task.total, task.message) == (3, 3, "at 3")
    assert task.created <= task.started <= task.finished


def test_a_failure_says_its_sentence_and_can_go_on(app, runner, tmp_path):
    task_id = work(app, tmp_path, 4, fail_at=2)
    task = ticked_until(app, runner, task_id, "failed")
    assert task.error == "It cannot be counted further."
    with app.app_context():
        store.retry(store.get(task_id))
    assert store.result_of(ticked_until(app, runner, task_id, "done")) == {"counted": 4}


def test_a_cut_connection_is_tried_again_by_itself(app, runner, tmp_path):
    task_id = work(app, tmp_path, 3, cut_at=1)
    task = ticked_until(app, runner, task_id, "done")
    assert task.tries == 1


def test_work_that_is_cancelled_as_it_is_about_to_start_does_not_start(
    app, runner, tmp_path, monkeypatch
):
    task_id = work(app, tmp_path, 3)
    startable = store.startable

    def and_then_a_person_is_quicker(*given):
        found = startable(*given)
        store.cancel(store.get(task_id))
        return found

    monkeypatch.setattr(store, "startable", and_then_a_person_is_quicker)
    with app.app_context():
        runner.tick()
        assert store.get(task_id).state == "cancelled"
    assert not runner.busy


def test_running_work_is_cancelled_and_says_so_only_when_its_process_is_gone(app, runner, tmp_path):
    task_id = work(app, tmp_path, 9, hang_at=2)
    hangs(app, runner, tmp_path, "2")
    with app.app_context():
        store.cancel(store.get(task_id))
        assert store.get(task_id).state == "running"
    assert ticked_until(app, runner, task_id, "cancelled").wish == ""


def hangs(app, runner, tmp_path, at):
    def look():
        with app.app_context():
            runner.tick()
        return (tmp_path / "n").exists() and (tmp_path / "n").read_text() == at

    until(look, 20, "it hangs")


def test_work_whose_log_cannot_be_opened_fails_with_the_place_and_can_go_on(app, runner, tmp_path):
    folder = app.extensions[EXTENSION].settings.data_dir / "tasks"
    folder.write_text("in the way")
    task = ticked_until(app, runner, task_id := work(app, tmp_path, 2), "failed")
    assert task.error.startswith("It could not be started: ")
    assert str(folder) in task.error
    folder.unlink()
    with app.app_context():
        store.retry(store.get(task_id))
    assert store.result_of(ticked_until(app, runner, task_id, "done")) == {"counted": 2}


def test_what_ran_under_a_server_that_is_gone_goes_on_under_the_next(app, runner, tmp_path):
    task_id = work(app, tmp_path, 5)
    (tmp_path / "n").write_text("4")
    with app.app_context():
        store.change(task_id, state="running")
    runner_log.setLevel("ERROR")
    assert store.result_of(ticked_until(app, runner, task_id, "done")) == {"counted": 5}


def test_a_child_that_is_told_to_quit_waits_for_the_next_server(app, runner, tmp_path):
    task_id = work(app, tmp_path, 9, hang_at=1)
    hangs(app, runner, tmp_path, "1")
    runner.quit()
    with app.app_context():
        until(lambda: store.get(task_id).state == "waiting", 20, "it waits")


def test_a_child_that_was_killed_alone_goes_on_from_what_is_on_disk(
    app, runner, tmp_path, monkeypatch
):
    monkeypatch.setattr("app.tasks.runner._KILLED_SECONDS", 0.0)
    task_id = work(app, tmp_path, 4, hang_at=2)
    hangs(app, runner, tmp_path, "2")
    runner._children[task_id].kill()
    task = ticked_until(app, runner, task_id, "done")
    assert task.tries == 1


def test_what_is_dismissed_takes_its_secret_and_its_log_along(app, tmp_path):
    vault = app.extensions[EXTENSION].vault
    with app.app_context():
        task = store.start("count", "thing:1", {"secret": "download_x"})
        vault.put("download_x", "https://host/file?key=1")
        log = store.log_path(app.extensions[EXTENSION].settings, task.id)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("words")
        store.cancel(task)
        assert vault.names() == ["download_x"], "it can go on"
        store.forget(task)
    assert vault.names() == []
    assert not log.exists()


def test_waiting_work_is_cancelled_at_once_and_finished_work_not_at_all(app, tmp_path):
    task_id = work(app, tmp_path, 1)
    with app.app_context():
        store.cancel(store.get(task_id))
        assert store.get(task_id).state == "cancelled"
        with pytest.raises(ConflictError, match="nothing to cancel"):
            store.cancel(store.get(task_id))
        assert store.active() == []
        assert [t.id for t in store.find("thing:1")] == [task_id]


def test_one_disk_task_runs_at_a_time(app, runner, tmp_path):
    first = work(app, tmp_path, 2, hang_at=1)
    second = work(app, tmp_path, 2)
    hangs(app, runner, tmp_path, "1")
    with app.app_context():
        assert (store.get(first).state, store.get(second).state) == ("running", "waiting")


def test_a_long_queue_of_downloads_keeps_no_other_work_from_starting(
    app, runner, tmp_path, monkeypatch
):
    monkeypatch.setitem(KINDS, "fetch", Kind("tests.support.tasks:count", "network", "Fetching"))
    with app.app_context():
        for number in range(60):
            words = {"file": str(tmp_path / f"f{number}"), "to": 9, "hang_at": 1}
            store.start("fetch", f"thing:{number}", words)
    task = ticked_until(app, runner, work(app, tmp_path, 2), "done")
    assert store.result_of(task) == {"counted": 2}


@pytest.mark.parametrize("what", ["message", "state"], ids=["its progress", "its end"])
def test_work_goes_on_and_ends_though_the_database_is_full_for_a_moment(
    app, runner, tmp_path, monkeypatch, what
):
    change, refused = store.change, []

    def full_once(task_id, **columns):
        if what in columns and not refused:
            refused.append(columns)
            raise OperationalError("UPDATE task", {}, OSError("database or disk is full"))
        change(task_id, **columns)

    monkeypatch.setattr(store, "change", full_once)
    monkeypatch.setattr(runner_log, "disabled", True)
    task = ticked_until(app, runner, work(app, tmp_path, 3), "done")
    assert store.result_of(task) == {"counted": 3}
    assert refused
    assert (tmp_path / "n").read_text() == "3"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"file": "/none/n"}, "No such file or directory (/none/n)."),
        ({"to": "three"}, "It broke off: TypeError: "),
    ],
)
def test_an_error_that_nobody_foresaw_is_told_and_the_log_holds_the_whole(
    app, runner, tmp_path, broken, sentence
):
    task_id = work(app, tmp_path, **{"to": 1, **broken})
    task = ticked_until(app, runner, task_id, "failed")
    assert task.error.startswith(sentence)
    assert "Traceback" in store.log_path(runner._settings, task_id).read_text()


def test_only_what_failed_or_was_cancelled_can_go_on(app, tmp_path):
    with app.app_context():
        task = store.get(work(app, tmp_path, 1))
        with pytest.raises(ConflictError, match="This is waiting; only what failed"):
            store.retry(task)
        assert store.get(task.id).state == "waiting"
