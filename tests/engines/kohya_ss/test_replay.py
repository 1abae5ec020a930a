"""What the real sd-scripts printed and wrote, read back."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from engines.base import Phase
from engines.kohya_ss import KohyaSs, events

REPLAY = Path(__file__).parents[2] / "replay" / "kohya_ss"
KOHYA = KohyaSs()


def pieces(name):
    raw = (REPLAY / f"{name}.raw").read_bytes()
    clean = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", raw)
    return [piece.decode("utf-8", "replace") for piece in re.split(rb"[\r\n]", clean)]


def told(name):
    return [progress for piece in pieces(name) if (progress := KOHYA.parse(piece))]


@pytest.mark.parametrize(
    ("name", "last", "total"),
    [("success", 48, 48), ("resumed", 16, 48), ("sigint", 40, 48), ("nan", 8, 8)],
)
def test_the_last_step_of_a_recording_is_read_right(name, last, total):
    steps = [p for p in told(name) if p.step is not None]
    assert (steps[-1].step, steps[-1].total) == (last, total)


def test_no_other_bar_is_taken_for_training_and_no_step_goes_back():
    steps = [p.step for p in told("success") if p.step is not None]
    assert steps == sorted(steps)
    assert {p.total for p in told("success") if p.total} == {48}


def test_a_loss_that_is_no_number_is_told_as_such():
    losses = [p.loss for p in told("nan") if p.loss is not None]
    assert math.isnan(losses[-1])


@pytest.mark.parametrize(
    ("text", "loss"),
    [("nan", math.nan), ("inf", math.inf), ("-inf", -math.inf), ("1.2e-5", 1.2e-5), ("1e+3", 1000),
     ("-0.5", -0.5), ("0.0832, max_norm=1", 0.0832), ("?", None), ("-", None)],
)  # fmt: skip
def test_every_form_of_a_loss_is_read_and_none_ends_the_reading(text, loss):
    bar = f"steps:  25%|##5   | 3/12 [01:13<03:40, 24.45s/it, avr_loss={text}]"
    assert KOHYA.parse(bar).loss == pytest.approx(loss, nan_ok=True)


def test_the_engines_own_count_of_batches_is_read():
    assert [p.batches_per_epoch for p in told("success") if p.batches_per_epoch] == [16]


def test_every_phase_of_a_run_is_seen_in_order():
    seen = list(dict.fromkeys(p.phase for p in told("success") if p.phase))
    assert seen.index(Phase.LOADING) < seen.index(Phase.CACHING) < seen.index(Phase.TRAINING)
    assert {Phase.SAMPLING, Phase.SAVING} <= set(seen)


def test_the_seconds_a_step_follow_the_unit_of_the_bar():
    slow = KOHYA.parse("steps:  25%|##5   | 3/12 [01:13<03:40, 24.45s/it, avr_loss=1.11]")
    fast = KOHYA.parse("steps:  25%|##5   | 3/12 [01:13<03:40,  4.00it/s, avr_loss=1.11]2026 INFO")
    assert slow.seconds_per_step == 24.45
    assert fast.seconds_per_step == 0.25


def test_the_event_file_of_a_run_gives_loss_and_rate_of_every_step():
    readings, used = events.read_events((REPLAY / "events.raw").read_bytes())
    assert used == (REPLAY / "events.raw").stat().st_size
    losses = {r.step: r.value for r in readings if r.tag == "loss/current"}
    assert sorted(losses) == list(range(1, 49))
    rates = [r.value for r in readings if events.MEANING.get(r.tag) == "learning_rate"]
    assert 0 <= min(rates) < max(rates) <= 1e-4 + 1e-9


def test_a_record_that_is_not_whole_yet_is_left_for_the_next_time():
    data = (REPLAY / "events.raw").read_bytes()
    whole, used = events.read_events(data[:-5])
    rest, _ = events.read_events(data[used:])
    assert used < len(data) - 5
    assert len(whole) + len(rest) == len(events.read_events(data)[0])
