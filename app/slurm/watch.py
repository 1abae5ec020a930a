"""One look at the cluster for all who ask: at most one every few seconds, none when nobody does."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from app.slurm.commands import ControllerDownError, SlurmError
from app.slurm.nodes import SINFO, SQUEUE, Cluster, read

log = logging.getLogger(__name__)

EVERY_SECONDS = 4.0
AFTER_A_FAILURE = 5.0
PATIENCE = 1.5
"""The first who asks waits so long for an answer; later ones are shown the one before."""


@dataclass(frozen=True)
class Report:
    """The newest answer of Slurm, and what keeps it from giving a newer one.

    ``at`` is when ``cluster`` was told, ``down_since`` since when nothing is; both in seconds since
    1970, None for never. ``version`` changes with everything that can be seen.
    """

    cluster: Cluster | None = None
    at: float | None = None
    problem: str = ""
    down_since: float | None = None
    version: str = "0"


class ClusterWatch:
    """Asks in a thread of its own, so that no request waits for a controller that is away."""

    def __init__(
        self,
        run: Callable[..., str],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        self._run, self._clock, self._wall, self._patience = run, clock, wall, patience
        self._lock = threading.Lock()
        self._latest = Report()
        self._asked: float | None = None
        self._asking: threading.Thread | None = None

    def report(self, patience: float | None = None) -> Report:
        """How it stands; a newer look is taken in the background where this one is old.

        Whoever is the first waits for an answer, for ``patience`` seconds.
        """
        with self._lock:
            if self._asked is not None and self._clock() - self._asked < self._age():
                return self._latest
            first = self._asked is None
            asking = self._asking
            if asking is None:
                asking = threading.Thread(target=self._look, name="slurm-nodes", daemon=True)
                self._asking = asking
                asking.start()
        if first:
            asking.join(self._patience if patience is None else patience)
        with self._lock:
            return self._latest

    def _age(self) -> float:
        return AFTER_A_FAILURE if self._latest.problem else EVERY_SECONDS

    def _look(self) -> None:
        try:
            found = self._ask()
        except Exception as error:
            log.exception("asking Slurm for its nodes failed")
            found = self._failed(f"The answer could not be used: {error}")
        with self._lock:
            self._latest, self._asked, self._asking = found, self._clock(), None

    def _ask(self) -> Report:
        try:
            nodes, jobs = self._run(*SINFO), self._run(*SQUEUE)
        except ControllerDownError as error:
            return self._failed(f"Slurm's controller does not answer: {error}")
        except SlurmError as error:
            return self._failed(str(error))
        version = f"{zlib.crc32(jobs.encode(), zlib.crc32(nodes.encode())):x}"
        before = self._latest
        if before.cluster is not None and before.version == version:
            return Report(before.cluster, self._wall(), version=version)
        return Report(read(nodes, jobs), self._wall(), version=version)

    def _failed(self, sentence: str) -> Report:
        """What was known stays, and is no longer taken for how it is now."""
        last, now = self._latest, self._wall()
        since = last.down_since or now
        version = f"{zlib.crc32(sentence.encode(), int(last.at or 0) & 0xFFFFFFFF):x}"
        return Report(last.cluster, last.at, sentence, since, version)
