"""The life of a job, as a table."""

from __future__ import annotations

import pytest

from app.jobs.states import ACTIVE, FINAL, MOVES, JobState

S = JobState


def test_every_state_has_its_row_of_moves():
    assert set(MOVES) == set(S)


def test_a_state_is_queued_active_or_final_and_only_one_of_them():
    for state in S:
        assert (state is S.QUEUED) + state.is_active + state.is_final == 1


def test_from_a_final_state_only_a_new_attempt_leads_on():
    assert {MOVES[state] for state in FINAL} == {frozenset({S.QUEUED})}


def test_a_stop_once_asked_for_never_goes_back_to_running_or_to_the_queue():
    assert MOVES[S.STOPPING] == {S.CANCELLED, S.SUCCEEDED, S.FAILED}


@pytest.mark.parametrize("state", sorted(ACTIVE - {S.STOPPING}))
def test_an_interrupted_run_goes_back_to_the_queue(state):
    assert S.QUEUED in MOVES[state]


def test_success_comes_from_a_run_that_was_seen_running():
    assert [s for s in S if S.SUCCEEDED in MOVES[s]] == [S.RUNNING, S.STOPPING]
