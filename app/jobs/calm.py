"""Tells a round that has nothing to do from one that has: an idle machine costs next to nothing.

Every commit to SQLite changes its write-ahead log. Where that is as it was, nobody rang, nothing is
being done beside the rounds, and the last whole round is some seconds old at most, another would find
what that one found. Runs are followed each second all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LONGEST = 5.0
"""Seconds after which a round is due whatever the files say: disk, clocks and back-offs move by themselves."""


class Calm:
    """``database`` is the SQLite file; None for another database, where every round is due."""

    def __init__(self, database: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = database and database.with_name(f"{database.name}-wal")
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._due = 0.0

    def is_due(self, *, rung: bool, busy: bool) -> bool:
        """Whether to look; a yes counts as looked."""
        now, stamp = self._clock(), self._stamp()
        if rung or busy or stamp is None or stamp != self._seen or now >= self._due:
            self._seen, self._due = stamp, now + LONGEST
            return True
        return False

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """What is committed within is our own, and no news.

        What somebody else commits in these very moments is taken for ours, and found by the round that is
        due anyway. Nobody waits for it: who wants something done rings, after the commit (``service.wake``,
        ``tasks.start``), and a ring is heard whatever stands here.
        """
        before = self._stamp()
        yield
        if before is not None and before == self._seen:
            self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        """Taken before the round: what is committed meanwhile makes the next one due."""
        try:
            found = self._log.stat() if self._log else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None
