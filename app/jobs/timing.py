"""When a run will end, whatever it pauses for.

The time of a step is the median of the newest ones, so that a pause for samples or a save does not
count as a slow step. The pauses are counted for themselves: what they took in all, spread over the
steps between them.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable

NEWEST = 200
_PAUSE = 3.0
"""A step that takes so many times the median is one with a pause in it ..."""
_PAUSE_SECONDS = 1.0
"""... if it takes so much longer, too: a tenth of a second is noise."""


class Clock:
    """Takes each step's seconds; ``interval`` is how many steps lie between two pauses as planned."""

    def __init__(self, interval: int | None = None) -> None:
        self._interval = interval
        self._newest: deque[float] = deque(maxlen=NEWEST)
        self._steps = 0
        self._paused = 0.0

    def take(self, seconds: Iterable[float]) -> None:
        """The seconds of further steps, in order."""
        for value in seconds:
            usual = self.seconds_per_step
            if (
                usual is not None
                and value > _PAUSE * usual
                and value - usual > _PAUSE_SECONDS
                and len(self._newest) >= 3
            ):
                self._paused += value - usual
            else:
                self._newest.append(value)
            self._steps += 1

    @property
    def seconds_per_step(self) -> float | None:
        """Of a step without a pause; None before the first."""
        return statistics.median(self._newest) if self._newest else None

    def left(self, steps: int) -> float | None:
        """Seconds until ``steps`` more are done, pauses and all; None while nothing is known."""
        usual = self.seconds_per_step
        if usual is None:
            return None
        # One pause, seen early, stands for one interval and not for the few steps before it.
        over = max(self._steps, self._interval or 1)
        return max(0, steps) * (usual + self._paused / over)
