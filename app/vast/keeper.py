"""Asks Vast beside everything else: a thread a call, its answer kept for whoever looks later.

The supervisor calls ``tick`` and ``order``; pages only read what is known.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from app.vast.client import Client, Kind, Outcome
from app.vast.record import Instance

log = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
AGAIN_SECONDS = 120.0
"""After a failed look, the next one."""
_MOST_PRICES = 100
Act = Literal["stop", "destroy"]


def _thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="vast", daemon=True).start()


class Keeper:
    """Without a client (no key, no instance) it knows nothing and does nothing."""

    def __init__(
        self,
        client: Client | None,
        *,
        spawn: Callable[[Callable[[], None]], None] = _thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client, self._spawn, self._clock = client, spawn, clock
        self.instance: Instance | None = None
        self.told: float | None = None
        """When the record was read, in epoch seconds."""
        self.prices: list[tuple[float, float]] = []
        """What an hour costs since when (epoch seconds), as it was told; a bid may be raised at any time."""
        self.problem = ""
        self._next = 0.0
        self._looking = self._ordering = False
        self._answer: Outcome | None = None

    def tick(self) -> None:
        """Have the record read again when it is old. Returns at once."""
        if self.client is None or self._looking or self._clock() < self._next:
            return
        self._looking = True
        self._spawn(self._look)

    def order(self, act: Act) -> None:
        """Send a stop or a destroy; ``answer`` tells later. Nothing while one is under way."""
        if self.client is None or self._ordering:
            return
        self._ordering = True
        self._spawn(lambda: self._do(act))

    @property
    def ordering(self) -> bool:
        """Whether an order is under way."""
        return self._ordering

    def answer(self) -> Outcome | None:
        """The answer to the last order, once."""
        found, self._answer = self._answer, None
        return found

    def _look(self) -> None:
        try:
            found = self.client.show() if self.client else None
            if found is not None and found.ok:
                self.instance, self.told = Instance.from_record(found.body), time.time()
                self.problem = ""
                self._note_price(self.instance.price, self.told)
            elif found is not None:
                self.problem = found.sentence
            fresh = found is not None and found.ok
        except Exception:
            log.exception("the record of the instance could not be read")
            fresh, self.problem = False, "The answer of Vast's API could not be understood."
        self._next = self._clock() + (FRESH_SECONDS if fresh else AGAIN_SECONDS)
        self._looking = False

    def _note_price(self, price: float | None, told: float) -> None:
        if price and (not self.prices or self.prices[-1][1] != price):
            self.prices = [*self.prices[-_MOST_PRICES:], (told, price)]

    def _do(self, act: Act) -> None:
        try:
            assert self.client is not None
            self._answer = self.client.stop() if act == "stop" else self.client.destroy()
        except Exception as error:
            log.exception("the order to %s could not be sent", act)
            self._answer = Outcome(
                Kind.UNREACHABLE, f"It could not be sent: {type(error).__name__}."
            )
        finally:
            self._ordering = False
        if self._answer.ok:
            log.warning("Vast was asked to %s this instance and said yes", act)
        else:
            log.warning("Vast was asked to %s this instance: %s", act, self._answer.sentence)
