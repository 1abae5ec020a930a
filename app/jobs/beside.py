"""What takes long is done beside the supervisor's rounds: a thread for a job, one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Beside:
    """The work that is being done for jobs. ``done`` is called, in its thread, after each."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._threads: dict[int, threading.Thread] = {}

    @property
    def jobs(self) -> frozenset[int]:
        """The numbers of those that something is being done for."""
        return frozenset(self._threads)

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        return tuple(self._threads.values())

    def start(self, job_id: int, task: Callable[[], None]) -> None:
        """Do ``task``; until it is over the job is among ``jobs``. Raises RuntimeError where no
        thread can be had, and then the job is not.
        """

        def run() -> None:
            try:
                task()
            except Exception:
                log.exception("a task of job %s failed; the next tick looks again", job_id)
            finally:
                del self._threads[job_id]
                self._done()

        thread = threading.Thread(target=run, name=f"job-{job_id}", daemon=True)
        self._threads[job_id] = thread
        try:
            thread.start()
        except RuntimeError:
            del self._threads[job_id]
            raise
