"""When the machine is given back: the rule alone, minute by minute."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from app.vast import Kind, MeterPreferences, Outcome, Undelivered
from app.vast.policy import Facts, State, decide

RULES = MeterPreferences(policy="stop", grace_minutes=30)
DESTROY = MeterPreferences(policy="destroy", grace_minutes=30)
IDLE = Facts()
YES = Outcome(Kind.DONE, "yes")
NO = Outcome(Kind.BUSY, "Vast's API was asked too often (429).")


class Life:
    """A machine whose clock a test turns; remembers what was done and when."""

    def __init__(self, rules=RULES, start=5000.0):
        self.rules, self.now, self.state, self.done = rules, start, State(), []
        self.begun = start

    def look(self, facts=IDLE):
        self.state, actions = decide(self.state, self.now, facts, self.rules)
        self.done += [(a.act if a.do == "order" else a.do, self.now - self.begun) for a in actions]
        return self.state

    def for_minutes(self, minutes, facts=IDLE):
        # As the program looks; in hours a look of every twentieth second tells as much.
        step = 5.0 if minutes < 60 else 20.0
        for _ in range(round(minutes * 60 / step)):
            self.now += step
            self.look(facts)
        return self.state

    @property
    def orders(self):
        return [(act, round(at)) for act, at in self.done if act in ("stop", "destroy")]


def test_off_until_somebody_chooses():
    life = Life(MeterPreferences())
    life.for_minutes(600)
    assert (life.state.phase, life.done) == ("off", [])


def test_an_empty_queue_counts_down_the_grace_and_then_stops():
    life = Life()
    life.look()
    assert life.for_minutes(29).phase == "idle"
    assert life.state.left == pytest.approx(60)
    life.for_minutes(1)
    assert life.state.phase == "stopping"
    assert [name for name, _ in life.done] == ["write", "stop"]


@pytest.mark.parametrize("busy", [Facts(running=1), Facts(waiting=1), Facts(tasks=1)])
def test_runs_waiting_jobs_and_background_work_keep_it(busy):
    life = Life()
    life.for_minutes(20)
    assert life.for_minutes(300, busy).phase == "busy"
    assert life.for_minutes(29).phase == "idle"
    assert life.done == []


def test_held_and_paused_jobs_do_not_pay_for_a_machine_that_is_only_stopped():
    life = Life()
    life.for_minutes(31, Facts(parked=3))
    assert life.state.phase == "stopping"


def test_but_they_are_not_destroyed():
    life = Life(DESTROY)
    life.for_minutes(60, Facts(parked=3))
    assert life.state.phase == "held"
    assert "3 jobs wait" in life.state.reason
    life.for_minutes(1)
    assert life.orders[0][0] == "destroy"


def test_a_failed_job_turns_a_destroy_into_a_stop():
    life = Life(DESTROY)
    life.for_minutes(31, Facts(failed=1))
    assert life.orders[0][0] == "stop"


def test_what_is_not_verified_as_copied_holds_the_machine_at_the_end_and_at_the_cap():
    late = Facts(undelivered=Undelivered("dog.safetensors is not yet verified as copied."))
    for rules, facts in ((RULES, late), (DESTROY, late),
                         (MeterPreferences(max_hours=1), replace(late, hours=2))):  # fmt: skip
        life = Life(rules)
        life.for_minutes(120, facts)
        assert life.orders == []
        assert "dog.safetensors" in life.state.reason
        life.for_minutes(1, replace(facts, undelivered=Undelivered()))
        assert len(life.orders) == 1


def test_what_no_waiting_would_copy_has_a_machine_stopped_and_never_destroyed_and_is_told_before():
    kept = Facts(undelivered=Undelivered(stays="1 file is not copied"))
    for rules, facts, before in (
        (RULES, kept, 20),
        (DESTROY, kept, 20),
        (MeterPreferences(max_hours=1, policy="destroy"), replace(kept, hours=2), 0),
    ):
        life = Life(rules)
        life.for_minutes(before, facts)
        if before:
            assert (life.state.act, life.state.reason) == ("stop", "1 file is not copied")
        life.for_minutes(11, facts)
        assert life.orders[0][0] == "stop"
        assert life.state.reason.endswith("; 1 file is not copied")


def test_keep_running_adds_the_grace_and_again_each_time_it_is_pressed():
    life = Life()
    life.look()
    life.for_minutes(29)
    life.look(Facts(wish="keep"))
    assert life.state.left == pytest.approx(31 * 60)
    life.look(Facts(wish="keep"))
    assert life.for_minutes(60).phase == "idle"
    life.for_minutes(2)
    assert life.state.phase == "stopping"


def test_somebody_at_work_starts_the_grace_anew():
    life = Life()
    life.for_minutes(29)
    life.look(Facts(touched=True))
    assert life.state.left == 30 * 60


def test_stop_now_stops_at_once_whatever_the_policy():
    for rules in (RULES, DESTROY, MeterPreferences()):
        life = Life(rules)
        life.look(Facts(wish="now"))
        life.now += 1
        life.look()
        assert life.orders == [("stop", 0)]


def test_a_failing_api_is_asked_after_2_4_8_up_to_60_seconds_then_every_ten_minutes():
    life = Life(start=0.0)
    life.look(Facts(wish="now"))
    answered = 0
    for _ in range(3 * 3600):
        life.now += 1
        fresh = len(life.orders) > answered
        answered = len(life.orders)
        life.look(Facts(answer=NO) if fresh else IDLE)
    at = [when for _, when in life.orders]
    gaps = [b - a for a, b in pairwise(at)]
    assert gaps[:8] == [3, 5, 9, 17, 33, 61, 61, 61]  # an answer takes a second
    assert set(gaps[-5:]) == {601}
    assert life.state.late
    assert "429" in life.state.problem


def test_a_yes_is_believed_for_a_while_and_then_asked_again():
    life = Life()
    life.look(Facts(wish="now"))
    life.now += 1
    assert life.look(Facts(answer=YES)).phase == "ordered"
    life.for_minutes(1)
    assert len(life.orders) == 1
    life.for_minutes(1)
    assert len(life.orders) == 2
    assert "still runs" in life.state.problem


def test_no_second_order_while_one_is_under_way():
    life = Life()
    life.look(Facts(wish="now"))
    life.for_minutes(5, Facts(ordering=True))
    assert len(life.orders) == 1


def test_a_new_job_calls_off_a_stop_that_vast_has_not_taken_yet():
    life = Life()
    life.look(Facts(wish="now"))
    life.now += 1
    life.look(Facts(answer=NO, waiting=1, sentinel="ours"))
    assert life.state.phase == "busy"
    assert life.done[-1][0] == "forget"
    assert not life.state.holds_queue


def test_keep_running_calls_it_off_too():
    life = Life()
    life.look(Facts(wish="now"))
    life.look(Facts(wish="keep", sentinel="ours"))
    assert life.state.phase == "idle"
    assert life.done[-1][0] == "forget"


def test_at_the_cap_running_jobs_are_asked_once_to_save_and_stop_then_the_machine_stops():
    life = Life(MeterPreferences(max_cost=2.0))
    running = Facts(running=1, waiting=4, price=0.5, cost=1.9, hours=3.8)
    assert life.look(running).cap_left == pytest.approx(720)
    assert not life.state.holds_queue
    over = replace(running, cost=2.01)
    life.for_minutes(2, over)
    assert [name for name, _ in life.done] == ["save"]
    assert life.state.holds_queue
    life.for_minutes(5, replace(over, running=0))
    assert [name for name, _ in life.done][:3] == ["save", "write", "stop"]
    assert "$2" in life.state.reason


def test_keep_running_moves_the_cap_by_a_grace():
    life = Life(MeterPreferences(max_hours=2))
    life.look(Facts(running=1, hours=3))
    life.look(Facts(running=1, hours=3, wish="keep"))
    assert life.look(Facts(running=1, hours=3)).phase == "busy"
    assert life.state.cap_left == pytest.approx(1800)
    assert life.look(Facts(running=1, hours=3.6)).phase == "capped"


def test_a_cap_in_money_without_a_price_stops_nothing():
    life = Life(MeterPreferences(max_cost=2.0))
    life.for_minutes(60, Facts(running=1, hours=900))
    assert (life.state.phase, life.done) == ("busy", [])


def test_a_machine_started_again_waits_a_new_grace_of_at_least_ten_minutes():
    life = Life(MeterPreferences(policy="stop", grace_minutes=1))
    earlier = Facts(sentinel="earlier")
    life.look(earlier)
    assert life.for_minutes(9.5, earlier).phase == "idle"
    life.for_minutes(1, earlier)
    assert life.state.phase == "stopping"


def test_a_job_that_ran_ends_the_memory_of_the_earlier_stop():
    life = Life()
    life.look(Facts(sentinel="earlier", waiting=1))
    assert life.done == []
    life.look(Facts(sentinel="earlier", running=1))
    assert [name for name, _ in life.done] == ["forget"]


def test_a_program_restarted_in_the_middle_of_a_stop_goes_on_with_it():
    life = Life()
    life.look(Facts(sentinel="ours"))
    assert life.orders == [("stop", 0)]
    busy = Life()
    busy.look(Facts(sentinel="ours", waiting=1))
    assert busy.orders == []
    assert busy.done[-1][0] == "forget"


def test_a_clock_that_jumps_never_stops_a_machine_by_itself():
    life = Life()
    life.look()
    for jump in (86_400, -86_400, 3600, -1e9, 1e9):
        life.now += jump
        assert life.look().phase == "idle"
    assert life.state.idle <= 3 * 60
    assert life.done == []


def test_a_rehearsal_calls_nobody():
    life = Life(MeterPreferences(policy="destroy", dry_run=True, max_hours=9))
    life.for_minutes(60)
    assert life.state.phase == "rehearsed"
    life.for_minutes(1, Facts(hours=10, running=1))
    assert life.done == []


def test_without_a_key_nothing_is_tried():
    life = Life()
    life.for_minutes(60, Facts(able=False))
    assert (life.state.phase, life.done) == ("off", [])
