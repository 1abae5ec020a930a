"""The Slurm executor with a fake cluster: every word of Slurm, with and without an exit record."""

from __future__ import annotations

import json
import os
import time

import pytest

from app.jobs import executor_handing, executor_slurm, executor_words
from app.jobs.executor import AttemptTakenError, Ended, ExecutorError, Lost, Running
from app.jobs.executor_rounds import Snapshot
from app.jobs.executor_slurm import SlurmExecutor
from app.jobs.rundir import AttemptDir, ExitRecord, Launch, read_json, write_json_atomic
from app.settings import ROOT
from app.slurm.paths import PathMap
from app.slurm.settings import SlurmSettings
from tests.support.fake_slurm import FakeSlurm

MARKER = "7.1." + "ab" * 16
NUMBER = 101


class InlineRounds:
    """Asks and acts at once, in the test's own thread."""

    def __init__(self, slurm, answered):
        self.slurm, self.answered = slurm, answered
        self.snapshot = Snapshot()
        self.back_at = 0.0

    def look(self):
        try:
            self.snapshot = Snapshot.of(self.slurm.jobs(), time.time())
            self.answered(self.snapshot)
        except Exception as error:
            since = self.snapshot.down_since or time.time()
            self.snapshot = Snapshot(self.snapshot.asked, self.snapshot.jobs, str(error), since)
        return self.snapshot

    def after(self, key, action):
        action()

    def soon(self):
        """Always."""


@pytest.fixture
def slurm():
    return FakeSlurm()


@pytest.fixture
def clock(monkeypatch):
    """The clock of patience: ``clock.add(seconds)``."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

        def add(self, seconds):
            self.now += seconds

    return Clock()


@pytest.fixture
def make(tmp_path, slurm, clock):
    def make(settings=None):
        executor = SlurmExecutor(
            slurm, settings or SlurmSettings(), ROOT / "scripts/run_job.py", tmp_path
        )
        executor.rounds = InlineRounds(slurm, executor._sweep)
        executor.words = executor_words.Words(clock)
        return executor

    return make


@pytest.fixture
def executor(make):
    return make()


@pytest.fixture
def attempt(tmp_path):
    folder = AttemptDir(tmp_path / "jobs/7/attempts/1")
    folder.root.mkdir(parents=True)
    return folder


def launch(**more):
    words = {"job_id": 7, "attempt": 1, "argv": ("/x/python", "train.py"), "cwd": "/x",
             "marker": MARKER, "ask": {"gpus": 2}, **more}  # fmt: skip
    return Launch(**words)


def start(executor, attempt, **more):
    executor.start(attempt, launch(**more), {"HF_TOKEN": "hf_abcdef", "X": "1"})


def begin(attempt):
    """What the runner writes when the trainer runs."""
    data = read_json(attempt.launch)
    me = {"pid": 1, "start_time": 1}
    write_json_atomic(attempt.launch, {**data, "runner": me, "trainer": me})


def end(attempt, **more):
    now = time.time()
    record = {"code": 0, "signal": None, "started": now - 9, "ended": now, **more}
    write_json_atomic(attempt.exit, ExitRecord(**record).to_json())


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


def test_a_submission_with_unknown_outcome_is_found_again_by_its_name(executor, attempt, slurm):
    slurm.submit = "unclear"
    start(executor, attempt)
    executor.poll(attempt)
    executor.poll(attempt)
    assert slurm.submissions == 1
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER
    assert ("scontrol", "release", str(NUMBER)) in slurm.said


def test_a_program_killed_before_it_wrote_the_number_finds_the_job_by_its_comment(
    executor, make, attempt, slurm
):
    slurm.submit = "unclear"
    start(executor, attempt)
    slurm.set(NUMBER, name="renamed-by-the-site")
    other = make()
    other.poll(attempt)
    assert read_json(attempt.launch)["slurm"]["job_id"] == NUMBER
    assert slurm.submissions == 1


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
    long_ago(attempt, executor)
    status = executor.poll(attempt)
    assert "it is held" in status.waiting
    assert slurm.said.count(("scontrol", "release", str(NUMBER))) == 1


def long_ago(attempt, executor):
    """As if it had been released an hour ago."""
    os.utime(attempt.root / "slurm-released", (0, time.time() - 3600))
    executor._handing._released.clear()


def test_a_release_that_a_killed_controller_forgot_is_said_again(executor, attempt, slurm):
    start(executor, attempt)
    slurm.set(NUMBER, reason="JobHeldUser")
    long_ago(attempt, executor)
    executor.rounds.back_at = time.time() - 1
    executor.poll(attempt)
    executor.poll(attempt)
    assert slurm.said.count(("scontrol", "release", str(NUMBER))) == 2
    assert slurm.queue[NUMBER].reason == "Resources"


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("PENDING", "Resources", "waiting in Slurm: Resources"),
        ("PENDING", "Priority", "higher priority"),
        ("PENDING", "PartitionTimeLimit", "never start"),
        ("PENDING", "SomethingNew", "waiting in Slurm: SomethingNew"),
        ("CONFIGURING", "None", "being made ready"),
    ],
)
def test_a_waiting_job_says_what_it_waits_for(executor, attempt, slurm, state, reason, words):
    start(executor, attempt)
    slurm.set(NUMBER, state=state, reason=reason)
    status = executor.poll(attempt)
    assert isinstance(status, Running)
    assert not status.trainer_started
    assert words in status.waiting


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING", "RESIZING", "A_STATE_OF_THE_FUTURE"])
def test_what_may_still_run_is_never_called_lost(executor, attempt, slurm, clock, state):
    start(executor, attempt)
    slurm.set(NUMBER, state=state, nodes="n1")
    begin(attempt)
    for _ in range(5):
        assert executor.poll(attempt) == Running(True, place="n1")
        clock.add(10_000)


@pytest.mark.parametrize(
    ("state", "then", "words"),
    [
        ("NODE_FAIL", "again", "the node n1 failed"),
        ("BOOT_FAIL", "again", "did not boot"),
        ("PREEMPTED", "again", "preempted"),
        ("TIMEOUT", "again", "time limit"),
        ("CANCELLED", "cancelled", "cancelled in Slurm"),
        ("OUT_OF_MEMORY", "failed", "out of memory"),
        ("DEADLINE", "failed", "deadline"),
        ("FAILED", "again", "no exit record"),
        ("COMPLETED", "again", "no exit record"),
    ],
)
def test_each_end_in_slurm_without_a_record_is_told_apart_after_a_grace(
    executor, attempt, slurm, clock, state, then, words
):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state=state, nodes="n1")
    assert isinstance(executor.poll(attempt), Running)
    clock.add(executor_words.RECORD_SECONDS + 1)
    status = executor.poll(attempt)
    assert isinstance(status, Lost)
    assert status.then == then
    assert words in status.why


def test_a_record_that_comes_late_is_no_lost_job(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state="COMPLETED", nodes="n1")
    assert isinstance(executor.poll(attempt), Running)
    clock.add(executor_words.RECORD_SECONDS - 1)
    end(attempt)
    assert isinstance(executor.poll(attempt), Ended)


@pytest.mark.parametrize("state", ["TIMEOUT", "NODE_FAIL", "CANCELLED", "OUT_OF_MEMORY"])
def test_a_death_that_slurm_brought_is_told_by_slurms_word_not_by_the_signal(
    executor, attempt, slurm, state
):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state="RUNNING", nodes="n1")
    end(attempt, code=None, signal="SIGTERM")
    assert isinstance(executor.poll(attempt), Running), "its word is awaited"
    slurm.set(NUMBER, state=state)
    assert isinstance(executor.poll(attempt), Lost)


def test_a_failure_of_the_trainer_itself_is_its_own(executor, attempt, slurm):
    start(executor, attempt)
    begin(attempt)
    end(attempt, code=3)
    slurm.set(NUMBER, state="COMPLETED")
    assert isinstance(executor.poll(attempt), Ended)


def test_a_success_needs_no_word_of_slurm(executor, attempt, slurm):
    start(executor, attempt)
    end(attempt)
    slurm.down = True
    assert isinstance(executor.poll(attempt), Ended)


def test_a_job_that_slurm_forgot_is_lost_only_after_a_grace_and_an_answer(
    executor, attempt, slurm, clock
):
    start(executor, attempt)
    begin(attempt)
    slurm.queue.clear()
    slurm.down = True
    for _ in range(3):
        assert isinstance(executor.poll(attempt), Running)
        clock.add(1000)
    slurm.down = False
    assert isinstance(executor.poll(attempt), Running)
    clock.add(executor_words.RECORD_SECONDS + 1)
    assert "no longer knows" in executor.poll(attempt).why


def test_another_job_under_the_same_number_is_not_ours(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, name="somebody-elses", comment="", state="RUNNING")
    executor.poll(attempt)
    clock.add(executor_words.RECORD_SECONDS + 1)
    assert isinstance(executor.poll(attempt), Lost)


def test_a_runner_that_never_began_fails_with_what_was_said(executor, attempt, slurm, clock):
    start(executor, attempt)
    (attempt.root / "slurm.txt").write_text("[vast-lora] there is no Python 3 on n1\n")
    slurm.set(NUMBER, state="FAILED", nodes="n1")
    executor.poll(attempt)
    clock.add(executor_words.RECORD_SECONDS + 1)
    status = executor.poll(attempt)
    assert (status.then, "no Python 3 on n1" in status.why) == ("failed", True)


def test_a_run_directory_that_cannot_be_seen_is_no_lost_job(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state="RUNNING", nodes="n1")
    executor.poll(attempt)
    away = attempt.root.with_name("away")
    attempt.root.rename(away)
    for _ in range(3):
        assert isinstance(executor.poll(attempt), Running)
        clock.add(1000)
    slurm.set(NUMBER, state="COMPLETED")
    assert isinstance(executor.poll(attempt), Running)
    away.rename(attempt.root)
    end(attempt)
    assert isinstance(executor.poll(attempt), Ended)


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
    assert json.loads(attempt.launch.read_text())["look"] == executor_handing.LOOK_SECONDS
