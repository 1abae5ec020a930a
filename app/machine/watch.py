"""One sampler for all who look: two minutes of history, and nothing running when nobody does.

Every second while somebody looks at the curves of the machine; where only strips beside jobs are
open, which tell what is now, every five.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from app.gpu import Gpu
from app.machine.host import Host

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
STRIP_SECONDS = 5.0
HISTORY = 120.0
"""Seconds that are kept."""
_PATIENCE = 15.0
_GAP = 10.0


@dataclass(frozen=True)
class Snapshot:
    """One reading of everything; ``at`` is by the monotonic clock."""

    at: float
    gpus: tuple[Gpu, ...]
    host: Host


class MachineWatch:
    """Samples in a thread that ends by itself when nobody asked for 15 seconds."""

    def __init__(
        self, take: Callable[[], Snapshot], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._take, self._clock = take, clock
        self._lock = threading.Lock()
        self._history: deque[Snapshot] = deque(maxlen=int(HISTORY / EVERY_SECONDS) + 1)
        self._asked = self._closely = -_PATIENCE
        self._thread: threading.Thread | None = None
        self._pause = threading.Event()

    @property
    def sampling(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def history(self) -> list[Snapshot]:
        """What is known, oldest first; at least one reading. Keeps it sampled every second."""
        with self._lock:
            self._closely = self._clock()
            self._look()
            return list(self._history)

    def latest(self) -> Snapshot:
        """The newest reading, at most some seconds old."""
        with self._lock:
            self._look()
            return self._history[-1]

    def stop(self) -> None:
        """End the thread, if there is one, and wait for that. Whoever looks next starts another."""
        with self._lock:
            self._asked, thread = -inf, self._thread
        if thread is not None:
            self._pause.set()
            thread.join()
            self._pause.clear()

    def _look(self) -> None:
        self._asked = self._clock()
        if self._history and self._asked - self._history[-1].at > _GAP:
            # Nobody looked for a while: what was is no longer how it is.
            self._history.clear()
        if not self._history:
            self._history.append(self._take())
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="machine", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            close = self._clock() - self._closely < _PATIENCE
            self._pause.wait(EVERY_SECONDS if close else STRIP_SECONDS)
            with self._lock:
                if self._clock() - self._asked > _PATIENCE:
                    self._thread = None
                    return
            try:
                snapshot = self._take()
            except Exception:
                log.exception("the machine could not be looked at; trying again")
                continue
            with self._lock:
                self._history.append(snapshot)
                while snapshot.at - self._history[0].at > HISTORY:
                    self._history.popleft()
