"""The time left is right in spite of pauses for samples and saves."""

from __future__ import annotations

import pytest

from app.jobs.timing import Clock


def test_a_steady_run_takes_what_its_steps_take():
    clock = Clock(interval=100)
    clock.take([2.0] * 50)
    assert clock.left(100) == pytest.approx(200)


def test_nothing_is_said_before_the_first_step():
    assert Clock().left(10) is None


def test_one_early_pause_does_not_make_the_whole_run_look_slow():
    clock = Clock(interval=250)
    clock.take([1.0] * 5 + [61.0] + [1.0] * 4)
    # 240 more steps with about one more pause of a minute, not one every ten steps.
    assert clock.left(240) == pytest.approx(240 + 57.6)
    assert clock.seconds_per_step == 1.0


def test_pauses_that_come_again_and_again_are_counted():
    clock = Clock(interval=10)
    clock.take(([1.0] * 9 + [31.0]) * 10)
    assert clock.left(100) == pytest.approx(100 + 300)


def test_a_run_that_became_slower_is_told_by_its_newest_steps():
    clock = Clock()
    clock.take([1.0] * 300 + [2.5] * 300)
    assert clock.seconds_per_step == 2.5
