"""Engines installed as background work: progress, cancel, and jobs that wait for them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from app import tasks
from app.errors import ConflictError
from app.jobs import autostop, installing, slots, store
from app.jobs.states import JobState
from app.platform import current
from app.tasks import store as rows
from tests.app.jobs.test_guards import add
from tests.support.platform import make_app


@pytest.fixture
def app(tmp_path):
    app = make_app(tmp_path)
    with app.app_context():
        yield app


class Bootstrap:
    """Stands for bootstrap.sh: says where it is in its status file, then ends."""

    def __init__(self, engines_dir, code, message):
        self.folder, self.code, self.message, self.returncode, self.looks = (
            engines_dir,
            code,
            message,
            None,
            0,
        )

    def __call__(self, argv, env, **_options):
        self.argv, self.env, self.pid = argv, env, 1 << 30
        return self

    def say(self, step, state):
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {"engine": self.argv[2], "step": step, "state": state, "message": self.message}
        (self.folder / "bootstrap-status.json").write_text(json.dumps({"engines": [told]}))

    def poll(self):
        self.looks += 1
        if self.looks == 1:
            self.say("torch", "running")
            return None
        self.say("finished", "done" if self.code == 0 else "failed")
        self.returncode = self.code
        return self.code


def bootstrap(monkeypatch, code=0, message="torch 2.9.1"):
    found = Bootstrap(current().settings.engines_dir, code, message)
    monkeypatch.setattr(subprocess, "Popen", found)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return found


def test_it_runs_bootstrap_without_secrets_and_ends_with_its_words(app, monkeypatch):
    monkeypatch.setenv("CONTAINER_API_KEY", "secret")
    run = bootstrap(monkeypatch)
    task = installing.start(current().settings, "kohya_ss")
    assert current().tasks.run_all() == [""]
    assert run.argv[1].endswith("scripts/bootstrap.sh")
    assert run.env["ENGINES_DIR"] == str(current().settings.engines_dir)
    assert "CONTAINER_API_KEY" not in run.env
    assert tasks.result_of(tasks.get(task.id))["message"] == "torch 2.9.1"


def test_what_stopped_it_is_its_own_sentence(app, monkeypatch):
    bootstrap(monkeypatch, 1, "about 9 GB of disk are needed")
    installing.start(current().settings, "kohya_ss")
    assert current().tasks.run_all() == ["About 9 GB of disk are needed"]


def test_one_installation_at_a_time_and_none_where_it_would_not_help(app, tmp_path):
    installing.start(current().settings, "kohya_ss")
    with pytest.raises(ConflictError, match="already"):
        installing.start(current().settings, "kohya_ss")
    other = make_app(tmp_path / "other", {"KOHYA_SS_DIR": "/opt/kohya_ss"})
    with other.app_context(), pytest.raises(ConflictError, match="KOHYA_SS_DIR"):
        installing.start(current().settings, "kohya_ss")


def test_a_job_waits_for_its_engine_also_when_the_installation_broke_off(app):
    job = add()
    task = installing.start(current().settings, "kohya_ss")
    for state in ("waiting", "running", "failed", "cancelled"):
        rows.change(task.id, state=state)
        current().supervisor._launch_queued()
        assert store.get(job.id).status is JobState.QUEUED
        assert store.get(job.id).phase == "waits for the installation of kohya_ss"
    store.change(job, phase="")  # what its page says decides nothing
    assert queue() == (0, 1)
    rows.change(task.id, state="running")
    assert queue() == (1, 0)
    rows.change(task.id, state="done")
    store.change(job, phase="waits for something of long ago")
    assert queue() == (1, 0)
    free = slots.Slots.now(current(), [])
    assert not current().supervisor._has_to_wait(job, free, frozenset())
    assert store.get(job.id).phase == ""


def queue():
    return autostop._queue(current().settings, store.counts(), tasks.active())


def test_a_damaged_status_file_says_nothing(app):
    folder = current().settings.engines_dir
    folder.mkdir()
    for text in ("", "[]", "{", '{"engines": [1]}', '{"engines": null}'):
        (folder / "bootstrap-status.json").write_text(text)
        assert installing.status(current().settings, "kohya_ss") == {}


def test_an_engine_that_is_there_is_not_installed_over(tmp_path):
    home = tmp_path / "sd-scripts"
    home.mkdir()
    (home / "train_network.py").touch()
    app = make_app(tmp_path, {"KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": sys.executable})
    with app.app_context(), pytest.raises(ConflictError, match="kohya_ss is installed already"):
        installing.start(current().settings, "kohya_ss")


def test_on_the_page_a_failure_names_no_command_that_nobody_typed():
    told = (
        "the code could not be had. What was fetched is kept: run the same command again, or set X."
    )
    assert installing.for_the_page(told) == (
        "The code could not be had. What was fetched is kept: start it again, or set X."
    )
    assert installing.for_the_page("torch changed. Run the same command again; it mends it.") == (
        "Torch changed. Start it again; it mends it."
    )
