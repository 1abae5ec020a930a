"""Keeps a log from growing by the same trouble each second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_SECONDS = 60.0
_MOST = 200


class Repeats(logging.Filter):
    """Lets what was raised through once a minute, and says how often it came in between.

    The supervisor looks at everything each second: a full disk would write its own traceback as often.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        if not record.exc_info:
            return True
        told, now = f"{record.getMessage()} {record.exc_info[1]!r}", self._clock()
        at, count = self._seen.get(told, (now - _SECONDS, 0))
        if now - at < _SECONDS:
            self._seen[told] = at, count + 1
            return False
        if count:
            record.msg, record.args = f"{record.getMessage()} ({count} times more since)", ()
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[told] = now, 0
        return True
