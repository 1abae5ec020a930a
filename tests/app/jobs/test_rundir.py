"""The run directory's names and records."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from app.jobs.processes import Process
from app.jobs.rundir import (
    AttemptDir,
    ExitRecord,
    Launch,
    RunDir,
    TornFileError,
    read_json,
    write_json_atomic,
)

LAUNCH = Launch(
    job_id=7,
    attempt=2,
    argv=("python", "run.py"),
    cwd="/",
    marker="7.2.abc",
    env_names=("HF_TOKEN",),
    stop=({"kind": "signal", "signal": "SIGINT", "to": "group", "grace": 15.0},),
    gpus=(0, 1),
)
EXIT = ExitRecord(
    code=None,
    signal="SIGKILL",
    started=10.5,
    ended=20.25,
    peak_rss_bytes=4096,
    stopped=True,
    wish="stop",
    steps_taken=({"kind": "signal", "signal": "SIGINT", "to": "group", "at": 19.0},),
    leftovers_killed=2,
)


def test_a_run_directory_names_every_part_of_the_contract(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "jobs" / "7")
    attempt = run.attempt(2)
    names = [run.spec, run.native, run.output, run.metrics, run.run_card, attempt.launch]
    names += [attempt.stop, attempt.exit, attempt.log, attempt.lock]
    assert [str(name.relative_to(run.root)) for name in names] == [
        "spec.yaml",
        "native",
        "output",
        "metrics.csv",
        "run-card.json",
        "attempts/2/launch.json",
        "attempts/2/stop.json",
        "attempts/2/exit.json",
        "attempts/2/log.txt",
        "attempts/2/lock",
    ]


def test_a_launch_survives_its_file(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path)
    whole = Launch(**{**vars(LAUNCH), "boot_id": "b", "runner": Process(3, 4), "started": 1.5})
    for launch in (LAUNCH, whole):
        write_json_atomic(attempt.launch, launch.to_json())
        assert attempt.read_launch() == launch


def test_what_the_app_writes_says_nothing_that_only_the_runner_knows() -> None:
    whole = Launch(**{**vars(LAUNCH), "runner": Process(3, 4), "trainer": Process(5, 6)})
    assert whole.before_start() == LAUNCH
    assert not {"runner", "trainer", "boot_id", "started"} & set(LAUNCH.to_json())


def test_an_exit_record_survives_its_file(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path)
    write_json_atomic(attempt.exit, EXIT.to_json())
    assert attempt.read_exit() == EXIT


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path / "nowhere")
    assert attempt.read_launch() is None
    assert attempt.read_exit() is None


@pytest.mark.parametrize("text", ["", '{"version": 1, "code"', "[]", '"x"', "\0\0\0", "\xff"])
def test_a_torn_or_foreign_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "exit.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(TornFileError) as caught:
        read_json(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "data", [{}, {"version": 1}, {**EXIT.to_json(), "version": 2}, {**EXIT.to_json(), "ended": "x"}]
)
def test_an_object_that_is_no_exit_record_is_named(tmp_path: Path, data: dict[str, object]) -> None:
    attempt = AttemptDir(tmp_path)
    attempt.exit.write_text(json.dumps(data))
    with pytest.raises(TornFileError) as caught:
        attempt.read_exit()
    assert caught.value.path == attempt.exit


def test_an_object_that_is_no_launch_record_is_named(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path)
    attempt.launch.write_text(json.dumps({**LAUNCH.to_json(), "runner": "me"}))
    with pytest.raises(TornFileError):
        attempt.read_launch()


def test_a_record_is_private_and_leaves_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    write_json_atomic(path, {"a": 1})
    write_json_atomic(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["launch.json"]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    write_json_atomic(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json_atomic(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["launch.json"]
