"""Handing attempts to Slurm and ending them there: once, in whatever order things die."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from app.jobs import elsewhere, executor_handing, executor_slurm
from app.jobs.executor import AttemptTakenError, ExecutorError, Lost, Running
from app.jobs.rundir import LOOK_SECONDS, read_json, write_json_atomic
from app.settings import ROOT
from app.slurm.paths import PathMap
from app.slurm.settings import SlurmSettings
from engines.base import LaunchPlan
from tests.support.slurm_attempts import MARKER, NUMBER, begin, end, launch, long_ago, start


def test_a_job_is_handed_over_held_and_released_once_its_number_is_written(
    executor, attempt, slurm
):
    start(executor, attempt)
    command = slurm.said[0]
    assert {"--hold", "--no-requeue", "--gres=gpu:2", f"--comment={MARKER}"} <= set(command)
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER
    assert slurm.said[1] == ("scontrol", "release", str(NUMBER))
    assert isinstance(executor.poll(attempt), Running)


def test_secrets_travel_in_the_environment_alone(executor, attempt, slurm):
    start(executor, attempt)
    assert slurm.environments[0]["HF_TOKEN"] == "hf_abcdef"
    assert not any("hf_abcdef" in word for word in slurm.said[0])
    assert not [p for p in attempt.root.iterdir() if "hf_abcdef" in p.read_text()]


def test_a_refusal_is_a_sentence_and_nothing_runs(executor, attempt, slurm):
    slurm.submit = "refused"
    with pytest.raises(ExecutorError, match="Invalid partition name"):
        start(executor, attempt)


def test_every_path_is_mapped_once_also_where_the_target_lies_below_the_source(
    make, attempt, slurm
):
    settings = SlurmSettings(path_map=PathMap.parse("/x=/x/shared"))
    executor, step = make(settings), {"kind": "sqlite", "path": "/x/control.db", "grace": 1}
    plan = LaunchPlan(("/x/python",), Path("/x"), {"HOME": "/x/home", "CUDA_VISIBLE_DEVICES": "0"},
                      {"config.toml": "model = /x/m"}, (), "x.safetensors", 1)  # fmt: skip
    plan = elsewhere.plan_for_a_node(plan, executor.there)
    executor.start(attempt, launch(argv=plan.argv, near_end=(step,)), plan.env)
    told = attempt.read_launch()
    assert plan.files == {"config.toml": "model = /x/shared/m"}
    assert (told.argv, told.cwd) == (("/x/shared/python",), "/x/shared")
    assert told.near_end[0]["path"] == "/x/shared/control.db"
    assert slurm.environments[0] == {"HOME": "/x/shared/home"}


def test_an_attempt_is_handed_over_once(executor, attempt):
    start(executor, attempt)
    with pytest.raises(AttemptTakenError):
        start(executor, attempt)


def test_while_the_controller_is_down_nothing_is_lost_and_the_job_follows_later(
    executor, attempt, slurm
):
    slurm.down = True
    start(executor, attempt)
    status = executor.poll(attempt)
    assert isinstance(status, Running)
    assert "controller" in status.waiting
    slurm.down = False
    executor.poll(attempt)
    executor.poll(attempt)
    assert len(slurm.queue) == 1
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER


def test_a_number_that_cannot_be_written_down_leaves_no_held_job_behind(
    executor, attempt, slurm, monkeypatch
):
    write = executor_handing.write_json_atomic

    def full(path, data):
        if data["slurm"]["job_id"]:
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(executor_handing, "write_json_atomic", full)
        start(executor, attempt)
        assert isinstance(executor.poll(attempt), Running)
    executor.poll(attempt)
    assert (slurm.submissions, read_json(attempt.launch)["slurm"]["job_id"]) == (1, NUMBER)
    assert ("scontrol", "release", str(NUMBER)) in slurm.said


def test_what_was_released_is_forgotten_with_its_attempt(executor, attempt, slurm):
    start(executor, attempt)
    assert executor._handing._released
    slurm.queue.clear()
    end(attempt)
    executor.poll(attempt)
    assert not executor._handing._released


def test_a_submission_with_unknown_outcome_is_found_again_by_its_name(executor, attempt, slurm):
    slurm.submit = "unclear"
    start(executor, attempt)
    executor.poll(attempt)
    executor.poll(attempt)
    assert slurm.submissions == 1
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER
    assert ("scontrol", "release", str(NUMBER)) in slurm.said


def test_a_program_killed_before_it_wrote_the_number_finds_the_job_by_its_comment(
    executor, make, attempt, slurm, clock
):
    slurm.submit = "unclear"
    start(executor, attempt)
    slurm.set(NUMBER, name="renamed-by-the-site")
    other = make()
    other.poll(attempt)
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER
    assert slurm.submissions == 1
    begin(attempt)
    slurm.set(NUMBER, state="RUNNING", nodes="n1")
    for _ in range(2):
        assert other.poll(attempt) == Running(True, place="n1"), (
            "it is found by its comment for good"
        )
        clock.add(other.words.lag + 1)


def test_an_unclear_submission_is_given_up_only_after_slurm_answered_for_long(
    executor, attempt, slurm, monkeypatch
):
    slurm.submit = "lost"
    start(executor, attempt)
    assert isinstance(executor.poll(attempt), Running)
    slurm.down = True
    monkeypatch.setattr(executor_slurm, "UNCLEAR_SECONDS", -1.0)
    assert isinstance(executor.poll(attempt), Running)
    slurm.down = False
    status = executor.poll(attempt)
    assert isinstance(status, Lost)
    assert not status.counts
    assert slurm.submissions == 1


def test_a_job_that_turns_up_after_it_was_given_up_is_cancelled_and_never_ran(
    executor, attempt, slurm, monkeypatch
):
    slurm.submit = "unclear"
    start(executor, attempt)
    late = slurm.queue.pop(NUMBER)
    monkeypatch.setattr(executor_slurm, "UNCLEAR_SECONDS", -1.0)
    assert isinstance(executor.poll(attempt), Lost)
    slurm.queue[NUMBER] = late
    executor.rounds.look()
    assert slurm.queue[NUMBER].state == "CANCELLED"


def test_a_hold_by_somebody_else_is_shown_and_kept(executor, attempt, slurm):
    start(executor, attempt)
    slurm.set(NUMBER, reason="JobHeldUser")
    executor.poll(attempt)
    executor.rounds.back_at = 0.0
    long_ago(attempt, executor)
    status = executor.poll(attempt)
    assert "it is held" in status.waiting
    assert slurm.said.count(("scontrol", "release", str(NUMBER))) == 1


def test_a_release_that_a_killed_controller_forgot_is_said_again(executor, attempt, slurm):
    start(executor, attempt)
    slurm.set(NUMBER, reason="JobHeldUser")
    long_ago(attempt, executor)
    executor.rounds.back_at = time.time() - 1
    executor.poll(attempt)
    executor.poll(attempt)
    assert slurm.said.count(("scontrol", "release", str(NUMBER))) == 2
    assert slurm.queue[NUMBER].reason == "Resources"


def test_a_stop_cancels_what_waits_and_signals_what_runs(executor, attempt, slurm):
    start(executor, attempt)
    executor.stop(attempt, "stop")
    assert ("scancel", "--state=PENDING", str(NUMBER)) in slurm.said
    assert ("scancel", "--batch", "--signal=USR1", str(NUMBER)) in slurm.said
    assert read_json(attempt.stop)["wish"] == "stop"


def test_a_stop_that_does_not_end_it_is_enforced_by_slurm_after_all_graces(
    executor, attempt, slurm
):
    start(executor, attempt, stop=({"kind": "signal", "signal": "SIGINT", "grace": 15},))
    begin(attempt)
    slurm.set(NUMBER, state="RUNNING")
    executor.stop(attempt, "stop")
    executor.poll(attempt)
    assert ("scancel", str(NUMBER)) not in slurm.said
    data = read_json(attempt.stop)
    write_json_atomic(attempt.stop, {**data, "requested": time.time() - 46})
    executor.poll(attempt)
    assert ("scancel", str(NUMBER)) in slurm.said


def test_a_lost_attempt_leaves_a_wish_for_a_runner_that_was_cut_off(executor, attempt):
    start(executor, attempt)
    executor.end_leftovers(attempt)
    assert read_json(attempt.stop)["steps"] == []


def test_nodes_get_their_own_paths_and_the_dashboard_keeps_its(make, attempt, tmp_path):
    executor = make(SlurmSettings(path_map=PathMap.parse(f"{tmp_path}=/nodes")))
    step = {"kind": "sqlite", "path": f"{tmp_path}/jobs/7/aitk.db", "grace": 1}
    start(executor, attempt, argv=(f"{tmp_path}/env/python", "train.py"), stop=(step,))
    data = read_json(attempt.launch)
    assert data["argv"][0] == "/nodes/env/python"
    assert data["stop"][0]["path"] == "/nodes/jobs/7/aitk.db"
    script = (attempt.root / "slurm.sh").read_text()
    assert "folder=/nodes/jobs/7/attempts/1" in script
    assert str(tmp_path) not in script.replace("/nodes", "")


def test_a_down_controller_is_a_notice_after_a_while(executor, attempt, slurm, monkeypatch):
    monkeypatch.setattr(executor_slurm, "NOTICE_SECONDS", 0.0)
    start(executor, attempt)
    executor.poll(attempt)
    assert executor.notice() == ""
    slurm.down = True
    executor.poll(attempt)
    assert "has not answered since" in executor.notice()
    slurm.down = False
    executor.notice()
    assert executor.notice() == ""


def test_the_runner_is_copied_under_its_hash_and_only_once(executor, attempt, tmp_path):
    start(executor, attempt)
    copies = list((tmp_path / "runner").glob("*/run_job.py"))
    assert [copy.read_bytes() for copy in copies] == [(ROOT / "scripts/run_job.py").read_bytes()]
    assert json.loads(attempt.launch.read_text())["look"] == LOOK_SECONDS
