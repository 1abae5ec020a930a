"""A curve of a million points is drawn from a few kilobytes, and no spike is ever lost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.jobs import curves
from app.jobs.series import FAN, Sample, Series, thin


def samples(values, attempt=1, first=1):
    return [Sample(first + n, attempt, 1000.0 + n, value) for n, value in enumerate(values)]


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path / "loss")


def test_a_spike_among_many_thousand_points_is_always_drawn(series):
    values = [0.1] * 100_000
    values[54_321], values[77_777] = 9.0, -3.0
    series.append(samples(values))
    drawn = series.thinned(0, 100_000, 100)
    assert len(drawn) <= 4 * 100 + 2
    assert {9.0, -3.0} <= {s.value for s in drawn}
    assert (drawn[0].step, drawn[-1].step) == (1, 100_000)
    assert [s.step for s in drawn] == sorted(s.step for s in drawn)


def test_a_loss_that_was_no_number_is_drawn_too(series):
    values = [0.1] * 50_000
    values[1234] = math.nan
    series.append(samples(values))
    assert [s.step for s in series.thinned(0, 50_000, 60) if math.isnan(s.value)] == [1235]


def test_points_added_one_by_one_give_the_same_levels_as_all_at_once(tmp_path, series):
    values = [math.sin(n) for n in range(5 * FAN * FAN + 7)]
    series.append(samples(values))
    slow = Series(tmp_path / "slow")
    rows = samples(values)
    for start in range(0, len(rows), 37):
        slow.append(rows[start : start + 37])
    for level in (0, 1, 2):
        one, other = (tmp_path / f"{name}.{level}" for name in ("loss", "slow"))
        assert one.read_bytes() == other.read_bytes()


def test_a_torn_tail_is_left_out_and_cut_off_by_the_next_point(tmp_path, series):
    series.append(samples([1.0, 2.0]))
    with (tmp_path / "loss.0").open("ab") as file:
        file.write(b"torn")
    assert len(series) == 2
    series.append(samples([3.0], first=3))
    assert [s.value for s in series.between(0, 9)] == [1.0, 2.0, 3.0]


def test_levels_that_were_not_written_before_a_kill_are_written_with_the_next_point(
    tmp_path, series
):
    series.append(samples([float(n) for n in range(3 * FAN)]))
    (tmp_path / "loss.1").unlink()
    series = Series(tmp_path / "loss")  # of the program that was started after the kill
    series.append(samples([0.0], first=3 * FAN + 1))
    assert (tmp_path / "loss.1").stat().st_size == 3 * 3 * 24


def test_a_point_that_fills_no_group_opens_one_file_and_the_eighth_writes_the_level(
    tmp_path, series
):
    series.append(samples([0.0] * FAN))
    before = (tmp_path / "loss.1").stat()
    for number in range(1, FAN):
        series.append(samples([0.0], first=FAN + number))
        assert (tmp_path / "loss.1").stat().st_size == before.st_size
    series.append(samples([0.0], first=2 * FAN))
    assert (tmp_path / "loss.1").stat().st_size == 2 * before.st_size


def test_a_later_attempt_counts_from_its_first_step_on(series):
    series.append(samples([0.1] * 100, attempt=1))
    series.append(samples([0.2] * 30, attempt=2, first=81))
    assert series.runs() == [(1, 0, 80), (2, 100, 130)]
    assert series.runs(50, 90) == [(1, 49, 80), (2, 100, 110)]
    assert series.runs(1010, 1020, by_time=True)[0] == (1, 10, 21)


def test_an_empty_series_draws_nothing(series):
    assert series.runs() == []
    assert series.thinned(0, 0, 100) == []
    assert thin([], 5) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=400),
    st.integers(min_value=1, max_value=40),
)
def test_whatever_the_values_thinning_keeps_the_lowest_the_highest_and_the_ends(values, width):
    drawn = thin(samples(values), width)
    assert len(drawn) <= 4 * width + 2 or len(drawn) == len(values)
    assert (drawn[0].step, drawn[-1].step) == (1, len(values))
    finite = [v for v in values if math.isfinite(v)]
    if finite:
        kept = [s.value for s in drawn if math.isfinite(s.value)]
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    if len(finite) < len(values):
        assert any(not math.isfinite(s.value) for s in drawn)


def test_short_attempts_among_many_points_are_read_in_groups_too(series):
    for attempt in range(1, 31):
        first = 1000 * (attempt - 1) + 1
        series.append(samples([0.1] * 1500, attempt=attempt, first=first))
    runs = series.runs()
    assert [end - first for _, first, end in runs] == [1000] * 29 + [1500]
    assert all(len(series.thinned(first, end, 5)) <= 22 for _, first, end in runs)


def test_a_step_that_is_none_is_left_out(series):
    series.append([Sample(-1, 1, 1.0, 0.5), Sample(1 << 40, 1, 1.0, 0.5), Sample(2, 1, 1.0, 0.5)])
    assert [s.step for s in series.last(9)] == [2]


def test_a_curve_may_bear_any_name_however_its_letters_are_written(tmp_path):
    found = curves.Curves(tmp_path)
    name = "損失/検証-" * 20
    found.append({name: [Sample(1, 1, 1.0, 0.5)], "loss": [Sample(1, 1, 1.0, 0.25)]})
    (kept,) = set(found.names()) - {"loss"}
    assert name.startswith(kept)
    assert len(found.series(name)) == len(found.series(kept)) == 1
