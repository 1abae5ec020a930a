"""A curve in a few numbers, for whoever cannot see the chart: first, lowest, highest, last."""

from __future__ import annotations

import math
from typing import NamedTuple

from app.jobs.curves import Curves
from app.jobs.series import Sample

_WIDTH = 32


class Values(NamedTuple):
    """Points of one curve that were there; ``odd`` is whether some reading was no number."""

    name: str
    first: Sample
    lowest: Sample
    highest: Sample
    last: Sample
    odd: bool


def of(found: Curves, name: str) -> Values | None:
    """The values of a curve; None where it holds no number. Thinned, which keeps every extreme."""
    samples = found.curve(name, width=_WIDTH).samples
    numbers = [sample for sample in samples if math.isfinite(sample.value)]
    if not numbers:
        return None
    lowest = min(numbers, key=lambda sample: sample.value)
    highest = max(numbers, key=lambda sample: sample.value)
    odd = len(numbers) < len(samples)
    return Values(name, numbers[0], lowest, highest, numbers[-1], odd)
