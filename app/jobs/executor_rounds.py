"""Asks Slurm how all jobs stand, in one command for all, beside the supervisor's rounds.

Nobody waits here: ``look`` hands out the newest answer and has the next one fetched when it is
due. What has to be said to Slurm (release, cancel, submit again) is done in the same thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.slurm.commands import ControllerDownError, Slurm, SlurmError
from app.slurm.states import Seen

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
MANY = 100
"""More jobs than this are asked for half as often: the answer is long."""
SOON_SECONDS, SOON_FOR = 0.5, 4.0
"""After Slurm was told something it is asked so often, for so long: an answer is awaited."""
LINGER_SECONDS = 15.0
"""So long after the last look questions are still put: between two looks nobody need come by."""


@dataclass(frozen=True)
class Snapshot:
    """The newest answer. ``asked`` is when its question was put (0: never answered yet)."""

    asked: float = 0.0
    jobs: Mapping[str, tuple[Seen, ...]] = field(default_factory=dict)
    """By name, and by comment."""
    down: str = ""
    """Why nobody answered the newest question; empty when it was answered."""
    down_since: float = 0.0

    def named(self, *words: str) -> tuple[Seen, ...]:
        """The jobs of the first of these names or comments that there are any of."""
        return next((self.jobs[word] for word in words if word in self.jobs), ())

    def unanswered(self, begin: float, why: str) -> Snapshot:
        """The same, when nobody answered the question put at ``begin``."""
        return replace(self, down=why, down_since=self.down_since if self.down else begin)

    @classmethod
    def of(cls, seen: Iterable[Seen], asked: float) -> Snapshot:
        """An answer, indexed."""
        jobs: dict[str, tuple[Seen, ...]] = {}
        for one in seen:
            for word in {one.name, one.comment}:
                jobs[word] = (*jobs.get(word, ()), one)
        return cls(asked, jobs)


class Rounds:
    """One per program. ``look`` and ``after`` return at once and may be called from any thread.

    ``answered`` is told every answer, ``changed`` that one differs from the one before.
    """

    def __init__(
        self,
        slurm: Slurm,
        *,
        answered: Callable[[Snapshot], None] = lambda _: None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._slurm = slurm
        self._answered, self._changed = answered, changed
        self.every = EVERY_SECONDS
        self.snapshot = Snapshot()
        self._seen: list[Seen] | None = None
        self._bell = threading.Condition()
        self._actions: dict[str, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None
        self._next = self._looked = self._soon_until = 0.0
        self.asked = 0
        """How many questions were put."""
        self.back_at = 0.0
        """When somebody answered again, or for the first time: what was said before may be forgotten."""
        self.changes = 0
        """How many answers differed from the one before."""

    def look(self) -> Snapshot:
        """The newest answer; the next one is on its way when it is due."""
        with self._bell:
            self._looked = time.monotonic()
            self._begin()
        return self.snapshot

    def after(self, key: str, action: Callable[[], None]) -> None:
        """Have ``action`` done soon, once however often it is asked for under ``key``."""
        with self._bell:
            self._actions.setdefault(key, action)
            self._begin()
            self._bell.notify_all()

    def soon(self) -> None:
        """Something was said to Slurm: its answer is awaited."""
        with self._bell:
            now = time.monotonic()
            self._soon_until = now + SOON_FOR
            self._next = min(self._next, now + SOON_SECONDS)
            self._bell.notify_all()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="slurm", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            if time.monotonic() >= self._next:
                self._ask()
            with self._bell:
                key = next(iter(self._actions), None)
                action = None if key is None else self._actions.pop(key)
                if action is None:
                    now = time.monotonic()
                    if now > self._looked + LINGER_SECONDS:
                        self._thread = None
                        return
                    self._bell.wait(max(0.0, self._next - now))
            if action is not None:
                self._do(action)
                self.soon()

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (ControllerDownError, SlurmError, OSError) as error:
            log.info("Slurm: %s", error)
        except Exception:
            log.exception("something that Slurm was to be told failed; it is tried again")

    def _ask(self) -> None:
        begin, old, same = time.time(), self.snapshot, False
        self.asked += 1
        try:
            seen = self._slurm.jobs()
            same = seen is self._seen and not old.down
            self._seen = seen
            self.snapshot = replace(old, asked=begin) if same else Snapshot.of(seen, begin)
            if old.down or not old.asked:
                self.back_at = begin
            self._do(lambda: self._answered(self.snapshot))
        except (ControllerDownError, SlurmError) as error:
            self.snapshot = old.unanswered(begin, str(error))
        except Exception as error:  # whatever it is, the next question may be answered
            log.exception("asking Slurm failed; it is asked again")
            self.snapshot = old.unanswered(begin, f"{type(error).__name__}: {error}")
        if not same and (old.jobs, old.down) != (self.snapshot.jobs, self.snapshot.down):
            self.changes += 1
            self._do(self._changed)
        now = time.monotonic()
        soon = now < self._soon_until and not self.snapshot.down
        many = len(self.snapshot.jobs) > 2 * MANY
        self._next = now + (SOON_SECONDS if soon else self.every * (2 if many else 1))
