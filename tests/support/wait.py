"""Waits for a condition in tests, in place of sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T], timeout: float = 10, what: str = "", interval: float = 0.01
) -> T:
    """Return the first true value of ``condition``; fail the test after ``timeout`` seconds.

    ``what`` names what was waited for, in the message. The condition is looked at once more
    after the time is over, so that a busy machine does not fail a test that would hold. The first looks
    follow each other faster: most of what is waited for takes a millisecond or two.
    """
    over = time.monotonic() + timeout
    pause = interval / 16
    while True:
        late = time.monotonic() >= over
        if value := condition():
            return value
        if late:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"{name}: not within {timeout} s (last value: {value!r})")
        time.sleep(pause)
        pause = min(2 * pause, interval)
