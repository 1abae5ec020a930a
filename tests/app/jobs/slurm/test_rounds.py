"""One question for all, put beside the supervisor's rounds: whatever the answer, it is put again."""

from __future__ import annotations

import threading

import pytest

from app.jobs.executor_rounds import Rounds
from app.slurm.states import Seen
from tests.support.slurm_attempts import InlineRounds
from tests.support.wait import until


@pytest.fixture
def told():
    """What was told: answers, and "changed"."""
    return []


@pytest.fixture
def rounds(slurm, told):
    return InlineRounds(slurm, answered=told.append, changed=lambda: told.append("changed"))


def waiting(number, reason="Priority"):
    return Seen(number, "PENDING", reason, "", f"lora-{number}.1-ab", f"{number}.1.ab")


def test_an_answer_is_found_by_name_and_by_comment(rounds, slurm):
    slurm.queue[5] = waiting(5)
    snapshot = rounds.look()
    assert snapshot.named("lora-5.1-ab") == snapshot.named("renamed", "5.1.ab") == (waiting(5),)
    assert snapshot.named("none", "such") == ()


def test_only_an_answer_that_differs_is_a_change(rounds, slurm, told):
    slurm.queue[5] = waiting(5)
    for _ in range(3):
        rounds.look()
    assert (rounds.changes, told.count("changed")) == (1, 1)
    slurm.set(5, reason="Resources")
    rounds.look()
    assert (rounds.changes, told.count("changed")) == (2, 2)
    assert rounds.asked == slurm.questions == 4


def test_while_nobody_answers_what_was_known_stays_and_is_told_as_old(rounds, slurm, told):
    slurm.queue[5] = waiting(5)
    first = rounds.look()
    slurm.down = True
    down = rounds.look()
    assert (down.asked, down.jobs) == (first.asked, first.jobs)
    assert "Unable to contact" in down.down
    assert rounds.look().down_since == down.down_since > 0
    answers = len([one for one in told if one != "changed"])
    assert answers == 1, "a silence is no answer"
    before = rounds.back_at
    slurm.down = False
    assert rounds.look().down == ""
    assert rounds.back_at > before


def test_an_answer_that_breaks_the_program_is_none_and_the_next_question_is_put(slurm):
    def broken():
        slurm.questions += 1
        raise ValueError("no such state")

    right, slurm.jobs = slurm.jobs, broken
    rounds = Rounds(slurm)
    rounds.every = 0.01
    rounds.look()
    until(lambda: slurm.questions > 2, 10, "it is asked again")
    assert "no such state" in rounds.snapshot.down
    slurm.jobs = right
    until(lambda: rounds.look().down == "" and rounds.snapshot.asked, 10, "an answer")


def test_what_is_to_be_said_is_said_once_and_a_failure_ends_nothing(slurm):
    rounds, said, go = Rounds(slurm), [], threading.Event()

    def fails():
        go.wait(10)
        raise RuntimeError("on purpose")

    rounds.after("first", fails)
    rounds.after("second", lambda: said.append("one"))
    rounds.after("second", lambda: said.append("another"))
    go.set()
    until(lambda: said, 10, "the second is said")
    until(lambda: not rounds._actions, 10, "nothing is left to be said")
    assert said == ["one"]
