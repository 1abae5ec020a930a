"""Wrong tokens are counted, by address and in all, so that a weak one cannot be guessed.

A token of ``access.STRONG`` characters needs no such help, so a right one always opens: nobody
locks its owner out by guessing. A weak one is not even looked at while its turn is not come.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

FREE = 5
"""So many wrong ones from one address without a wait."""
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
FORGET_SECONDS = 900.0
MOST_IN_ALL, WINDOW_SECONDS = 60, 60.0
_MOST_ADDRESSES = 2000


class Attempts:
    """In memory: a restart forgets, and is no way for a stranger to get one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=MOST_IN_ALL)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str | None) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        name, now = _network(address), self._clock()
        with self._lock:
            count, last = self._wrong.get(name, (0, 0.0))
            own = 0.0
            if count >= FREE and now - last < FORGET_SECONDS:
                own = last + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(count - FREE, 12)) - now
            full = len(self._all) == MOST_IN_ALL and name not in self._known
            shared = self._all[0] + WINDOW_SECONDS - now if full else 0.0
        return max(0.0, own, shared)

    def wrong(self, address: str | None) -> None:
        """A wrong token came from there."""
        name, now = _network(address), self._clock()
        with self._lock:
            count, last = self._wrong.pop(name, (0, 0.0))
            self._wrong[name] = (1 if now - last > FORGET_SECONDS else count + 1, now)
            self._all.append(now)
            while len(self._wrong) > _MOST_ADDRESSES:
                self._wrong.popitem(last=False)

    def right(self, address: str | None) -> None:
        """A right one: this address is known, and a flood from elsewhere is not its concern."""
        name = _network(address)
        with self._lock:
            self._wrong.pop(name, None)
            self._known[name] = None
            self._known.move_to_end(name)
            while len(self._known) > _MOST_ADDRESSES:
                self._known.popitem(last=False)


def _network(address: str | None) -> str:
    """One household: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return (address or "")[:64]
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
