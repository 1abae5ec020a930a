"""The loss database (``<output>/<name>/loss_log.db``): which rows to ask for, what they mean.

Tables: ``steps(step, wall_time)`` and ``metrics(step, key, value_real, value_text)``. A row is
numbered from 0 by the step it belongs to, and step 0 of a run is never written. A loss that
became NaN stands there as an exact 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FILE = "loss_log.db"
QUERY = (
    "SELECT s.step, s.wall_time, l.value_real, r.value_real FROM steps s "
    "LEFT JOIN metrics l ON l.step = s.step AND l.key = 'loss/loss' "
    "LEFT JOIN metrics r ON r.step = s.step AND r.key = 'learning_rate' "
    "WHERE s.step >= ? ORDER BY s.step LIMIT ?"
)
"""Parameters: the first row wanted (``Reading.step`` of the last one seen), and how many."""

OTHERS = (
    "SELECT m.step, s.wall_time, m.key, m.value_real FROM metrics m JOIN steps s ON s.step = m.step "
    "WHERE m.step >= ? AND m.step <= ? AND m.value_real IS NOT NULL "
    "AND m.key NOT IN ('loss/loss', 'learning_rate') ORDER BY m.step"
)
"""What else the engine recorded of a span of rows: losses by dataset, validation, and the like."""


@dataclass(frozen=True)
class Reading:
    """One step. ``step`` counts those done, the row's own included; ``time`` is epoch seconds.

    ``loss`` may be NaN; None where the row has none.
    """

    step: int
    time: float
    loss: float | None
    learning_rate: float | None


def reading(row: tuple[int, float | None, float | None, float | None]) -> Reading:
    """What one row of ``QUERY`` means."""
    number, wall, loss, rate = row
    if loss == 0:
        loss = math.nan
    return Reading(step=number + 1, time=wall or 0.0, loss=loss, learning_rate=rate)
