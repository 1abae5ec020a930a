"""The bench of pages scores as Lighthouse does: its curve goes through its control points."""

from __future__ import annotations

import pytest

from tests.bench.pages import CURVES, performance, score
from tests.support.vitals import Shift, Vitals


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_goes_through_its_two_points(name):
    _, good, median = CURVES[name]
    assert score(name, good) == pytest.approx(0.9, abs=0.005)
    assert score(name, median) == pytest.approx(0.5, abs=0.005)
    assert score(name, 0) == 1
    assert score(name, median * 20) < 0.05


def test_a_page_that_is_slow_to_react_and_moves_loses_what_these_weigh():
    fast = Vitals(first_paint=100, largest_paint=100, blocked=0)
    assert performance(fast) == 100
    poor = Vitals(100, 100, 3000, [Shift(1, 0.9, "a card")])
    assert performance(poor) == pytest.approx(45, abs=2)
