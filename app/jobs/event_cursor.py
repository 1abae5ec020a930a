"""Where somebody who follows the events of all jobs has got to, so that a restart loses none."""

from __future__ import annotations

from collections.abc import Callable

from app.jobs import store
from app.models import JobEvent

NOT_SENT = "not sent to"
"""How a note on a job begins that says why a copy was not made: copies write it, messages tell it."""


class EventCursor:
    """``key`` names the fact that keeps it. The first look of all begins with what comes after it.

    An event is handed out before the cursor moves: whoever acts on it must do nothing when the same
    event comes again, as it does after a kill between the two.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._seen = -1

    def look(self, act: Callable[[JobEvent], None]) -> None:
        """Hand out what is new, oldest first. Costs one look at an index when nothing is."""
        newest = store.newest_event()
        if newest == self._seen:
            return
        kept = store.fact(self._key)
        if kept:
            self._follow(int(kept), act)
        else:
            store.remember(self._key, str(newest))
        self._seen = newest

    def _follow(self, at: int, act: Callable[[JobEvent], None]) -> None:
        while events := store.events_since(at):
            for event in events:
                act(event)
            at = events[-1].id
            store.remember(self._key, str(at))
