"""The runner where its folder is on a filesystem that stutters, and beside whom it runs there."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys

import pytest

from app.jobs.rundir import AttemptDir, Launch
from app.settings import ROOT

RUNNER = ROOT / "scripts/run_job.py"
NEAR_END = [{"kind": "signal", "signal": "SIGINT", "to": "group", "grace": 5}]


@pytest.fixture
def attempt(tmp_path):
    folder = AttemptDir(tmp_path / "attempts/1")
    folder.root.mkdir(parents=True)
    return folder


def write(attempt, *argv, **more):
    words = {"job_id": 1, "attempt": 1, "cwd": "/", "marker": "1.1.x", "slurm": {}, "look": 0.02}
    launch = Launch(argv=argv or ("true",), **{**words, **more})
    attempt.launch.write_text(json.dumps(launch.to_json()))


def run(attempt, runner=RUNNER):
    command = [sys.executable, "-I", "-S", str(runner), str(attempt.root)]
    subprocess.run(command, check=True, timeout=30, env={"PATH": os.environ["PATH"]})
    return attempt.read_exit()


@pytest.fixture
def runner(attempt):
    """The runner in this process, before it has started anything."""
    spec = importlib.util.spec_from_file_location("run_job", RUNNER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.Runner(str(attempt.root))
    made.launch = {"look": 5.0, "near_end": NEAR_END, "stop": [{"kind": "plain"}]}
    return made


def test_a_wish_that_cannot_be_read_at_the_moment_stops_no_training(attempt):
    attempt.stop.mkdir()  # reading it is an OSError that is no FileNotFoundError
    write(attempt, "sleep", "0.3")
    record = run(attempt)
    assert (record.code, record.stopped) == (0, False)


def test_an_order_whose_wish_cannot_be_read_stops_in_the_plain_way(runner, attempt):
    attempt.stop.mkdir()
    assert runner.read_wish(0) == runner.read_wish(signal.SIGCHLD) == {}
    assert runner.read_wish(signal.SIGTERM) == {}, "the node goes down: it is begun again elsewhere"
    assert runner.read_wish(signal.SIGUSR1) == {"wish": "stop", "steps": [{"kind": "plain"}]}
    assert runner.read_wish(signal.SIGUSR2) == {"wish": "time-limit", "steps": NEAR_END}


def test_where_nobody_looks_again_what_cannot_be_read_is_a_stop(runner, attempt):
    attempt.stop.mkdir()
    del runner.launch["look"]
    assert runner.read_wish()["wish"] == "stop"


def test_a_training_goes_on_where_nobody_can_be_had_to_look_at_the_gpu(attempt, tmp_path):
    crippled = tmp_path / "crippled.py"
    crippled.write_text(f"""\
import os, runpy, sys
def none_left(*words, **more):
    raise OSError(11, "Resource temporarily unavailable")
os.posix_spawn = none_left
sys.argv[0] = {str(RUNNER)!r}
runpy.run_path(sys.argv[0], run_name="__main__")
""")
    write(attempt, "sleep", "0.1")
    assert run(attempt, crippled).code == 0
    assert "nobody looks at the GPU" in attempt.log.read_text()
