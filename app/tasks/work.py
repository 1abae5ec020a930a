"""What a function that does background work is given: its arguments, and a way to tell how far it is."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from app.settings import Settings

_TELL_SECONDS = 0.25


class RetryLaterError(Exception):
    """Nobody's fault (a cut connection, a busy server): the same work is tried again in ``seconds``.

    What was done so far has to be on disk: the next try is another process.
    """

    def __init__(self, sentence: str, seconds: float = 5.0) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class Work:
    """One piece of work, in its own process.

    ``log`` is a text file for whatever a person may want to read afterwards. A cancel arrives as
    ``SystemExit`` at any line, so that ``finally`` and ``with`` clean up; a kill does not, so that
    whatever lies half done must have a name that nobody takes for whole.
    """

    def __init__(
        self,
        task_id: int,
        arguments: Mapping[str, Any],
        settings: Settings,
        *,
        tell: IO[str],
        log: Path,
    ) -> None:
        self.id = task_id
        self.arguments = arguments
        self.settings = settings
        self.log = log
        self._tell = tell
        self._told: dict[str, Any] = {}
        self._at = 0.0

    def progress(
        self, done: int, total: int | None = None, message: str = "", *, unit: str = ""
    ) -> None:
        """Say how far it is. Cheap: said at most four times a second, the last word always counts."""
        self._told = {"done": done, "total": total, "message": message, "unit": unit}
        now = time.monotonic()
        if now - self._at >= _TELL_SECONDS or (total is not None and done >= total):
            self._at = now
            self.say(self._told)

    def say(self, words: Mapping[str, Any]) -> None:
        """One line to the server."""
        self._tell.write(json.dumps(words, ensure_ascii=False) + "\n")
        self._tell.flush()

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        """An application context, for work that reads or writes rows. Costs 0.4 s at first use."""
        from app import create_app

        with create_app(self.settings).app_context():
            yield


def log_path(settings: Settings, task_id: int) -> Path:
    """Where a piece of work writes what a person may want to read."""
    return settings.data_dir / "tasks" / f"{task_id}.log"


__all__ = ["RetryLaterError", "Work", "log_path"]
