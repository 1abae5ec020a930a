"""What takes long is done beside the supervisor's rounds: a thread for a job, one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

AGAIN_SECONDS = 3600.0
"""An error that comes again and again is written down in full so often."""


class Complaints:
    """Writes an error into the program's log once, however often it comes: rounds are a second apart,
    and a trouble that lasts for days would fill the disk with what it says.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[object, tuple[object, float]] = {}

    def tell(self, about: object, words: str, error: Exception) -> None:
        """Write it down, unless the same was the last that was told of ``about``."""
        what, now = (type(error), _line_of(error)), self._clock()
        told = self._told.get(about)
        if told is None or told[0] != what or now - told[1] >= AGAIN_SECONDS:
            self._told[about] = (what, now)
            log.error("%s", words, exc_info=error)

    def over(self, about: object) -> None:
        """It goes well again: the next error is news."""
        self._told.pop(about, None)


def _line_of(error: Exception) -> tuple[str, int]:
    """Where it was raised. Its text often holds a time, and would be another one in each round."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


class Beside:
    """The work that is being done for jobs. ``done`` is called, in its thread, after each."""

    def __init__(self, complaints: Complaints, done: Callable[[], None]) -> None:
        self._complaints, self._done = complaints, done
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
            about = ("beside", job_id)
            try:
                task()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round looks again
                words = f"a task of job {job_id} failed; the next tick looks again"
                self._complaints.tell(about, words, error)
            else:
                self._complaints.over(about)
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
