"""An idle machine is left alone, and nothing that happens is overlooked."""

from __future__ import annotations

import os

from app.jobs.calm import LONGEST, Calm
from app.waking import Bell, ring


def calm(tmp_path):
    now = [100.0]
    (tmp_path / "lora.db-wal").write_bytes(b"")
    made = Calm(tmp_path / "lora.db", lambda: now[0])
    assert made.is_due(rung=False, busy=False)
    return made, now


def test_nothing_new_is_not_looked_at_again(tmp_path):
    made, now = calm(tmp_path)
    now[0] += LONGEST - 1
    assert not made.is_due(rung=False, busy=False)


def test_a_commit_of_anybody_makes_a_round_due(tmp_path):
    made, _ = calm(tmp_path)
    os.utime(tmp_path / "lora.db-wal", ns=(1, 1))
    assert made.is_due(rung=False, busy=False)
    assert not made.is_due(rung=False, busy=False)


def test_a_ring_work_and_time_make_a_round_due(tmp_path):
    made, now = calm(tmp_path)
    assert made.is_due(rung=True, busy=False)
    assert made.is_due(rung=False, busy=True)
    now[0] += LONGEST
    assert made.is_due(rung=False, busy=False)


def test_another_database_is_always_asked(tmp_path):
    made = Calm(None)
    assert made.is_due(rung=False, busy=False)
    assert made.is_due(rung=False, busy=False)


def test_a_log_that_is_not_there_is_no_reason_to_look_away(tmp_path):
    made = Calm(tmp_path / "none.db")
    assert made.is_due(rung=False, busy=False)
    assert made.is_due(rung=False, busy=False)


def test_what_another_commits_within_our_own_moment_is_done_at_once_since_they_ring(tmp_path):
    made, now = calm(tmp_path)
    bell = Bell(tmp_path)
    assert not bell.wait(0)
    with made.own():
        os.utime(tmp_path / "lora.db-wal", ns=(1, 1))
        os.utime(tmp_path / "lora.db-wal", ns=(2, 2))  # theirs
        ring(tmp_path)
    assert made.is_due(rung=bell.wait(0), busy=False)
    bell.close()
    with made.own():
        os.utime(tmp_path / "lora.db-wal", ns=(3, 3))
    now[0] += LONGEST
    assert made.is_due(rung=False, busy=False)  # who does not ring is found then


def test_what_is_our_own_is_no_news_and_what_came_before_it_is(tmp_path):
    made, _ = calm(tmp_path)
    with made.own():
        os.utime(tmp_path / "lora.db-wal", ns=(1, 1))
    assert not made.is_due(rung=False, busy=False)
    os.utime(tmp_path / "lora.db-wal", ns=(2, 2))
    with made.own():
        os.utime(tmp_path / "lora.db-wal", ns=(3, 3))
    assert made.is_due(rung=False, busy=False)
