"""Every word of Slurm about a job, with and without an exit record."""

from __future__ import annotations

import pytest

from app.jobs.executor import Ended, Lost, Running
from app.jobs.executor_words import FOLDER_SECONDS
from tests.support.slurm_attempts import NUMBER, begin, end, start


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
    assert status.queued


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
    clock.add(executor.words.lag + 1)
    status = executor.poll(attempt)
    assert isinstance(status, Lost)
    assert status.then == then
    assert words in status.why


def test_a_record_that_comes_late_is_no_lost_job(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state="COMPLETED", nodes="n1")
    assert isinstance(executor.poll(attempt), Running)
    clock.add(executor.words.lag - 1)
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


@pytest.mark.parametrize(
    "said",
    [
        "slurmstepd-n1: error: StepId=1.batch exceeded memory limit (1425104896 > 524288000), being killed",
        "slurmstepd: error: Exceeded job memory limit",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=1.batch. Some of the step tasks have been OOM Killed.",
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_job_killed_for_its_memory_where_slurm_only_says_failed_is_told_from_its_output(
    executor, attempt, slurm, clock, said, recorded
):
    start(executor, attempt)
    begin(attempt)
    (attempt.root / "slurm.txt").write_text(f"{said}\n")
    slurm.set(NUMBER, state="FAILED", nodes="n1")
    if recorded:
        end(attempt, code=None, signal="SIGKILL")
    executor.poll(attempt)
    clock.add(executor.words.lag + 1)
    status = executor.poll(attempt)
    assert isinstance(status, Lost)
    assert (status.then, status.cause) == ("failed", "memory")
    assert "out of memory on n1" in status.why


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
    clock.add(executor.words.lag + 1)
    assert "no longer knows" in executor.poll(attempt).why


def test_another_job_under_the_same_number_is_not_ours(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, name="somebody-elses", comment="", state="RUNNING")
    executor.poll(attempt)
    clock.add(executor.words.lag + 1)
    assert isinstance(executor.poll(attempt), Lost)


def test_a_runner_that_never_began_fails_with_what_was_said(executor, attempt, slurm, clock):
    start(executor, attempt)
    (attempt.root / "slurm.txt").write_text("[vast-lora] there is no Python 3 on n1\n")
    slurm.set(NUMBER, state="FAILED", nodes="n1")
    executor.poll(attempt)
    clock.add(executor.words.lag + 1)
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


def test_a_run_directory_that_comes_back_between_two_looks_is_not_begun_again(
    executor, attempt, slurm
):
    start(executor, attempt)
    begin(attempt)
    slurm.set(NUMBER, state="RUNNING", nodes="n1")
    # launch.json was looked for while it was away, the folder when it was back.
    assert isinstance(executor.words.without_folder(attempt, executor.rounds.look()), Running)
    attempt.launch.unlink()
    assert isinstance(executor.words.without_folder(attempt, executor.rounds.look()), Lost)


def test_a_run_directory_that_never_comes_back_is_lost_in_the_end(executor, attempt, slurm, clock):
    start(executor, attempt)
    begin(attempt)
    executor.poll(attempt)
    slurm.set(NUMBER, state="COMPLETED", nodes="n1")
    attempt.root.rename(attempt.root.with_name("away"))
    seconds = 0
    while isinstance(status := executor.poll(attempt), Running) and seconds < 1000:
        clock.add(10)
        seconds += 10
    assert FOLDER_SECONDS <= seconds < 1000
    assert status.then == "failed"
    assert status.why == f"Slurm says that it is over, and its run directory {attempt.root} is gone"


def test_a_shared_filesystem_that_is_unmounted_for_hours_loses_no_job(
    executor, attempt, slurm, clock
):
    start(executor, attempt)
    begin(attempt)
    executor.poll(attempt)
    slurm.set(NUMBER, state="COMPLETED", nodes="n1")
    jobs = attempt.root.parents[2]
    jobs.rename(jobs.with_name("elsewhere"))
    jobs.mkdir()  # the mount point
    for _ in range(100):
        status = executor.poll(attempt)
        assert isinstance(status, Running)
        assert "is the shared filesystem mounted here?" in status.waiting
        clock.add(100)
    jobs.rmdir()
    jobs.with_name("elsewhere").rename(jobs)
    end(attempt)
    assert isinstance(executor.poll(attempt), Ended)


@pytest.mark.parametrize(
    ("nodes", "told", "then"), [("n1", False, "again"), ("n1", True, "cancelled"), ("", False, "cancelled")]
)  # fmt: skip
def test_a_job_that_its_node_could_not_launch_was_cancelled_by_nobody(
    executor, attempt, slurm, clock, nodes, told, then
):
    start(executor, attempt)
    if told:
        (attempt.root / "slurm.txt").touch()
    slurm.set(NUMBER, state="CANCELLED", nodes=nodes)
    executor.poll(attempt)
    clock.add(executor.words.lag - 1)
    early = executor.poll(attempt)
    assert isinstance(early, Running) == (then == "again"), "the output may still turn up"
    clock.add(2)
    status = early if isinstance(early, Lost) else executor.poll(attempt)
    assert status.then == then
