"""A bell between programs: a named pipe in DATA_DIR that the supervisor listens on.

A submit in the web program or on the command line rings it, so that the supervisor acts at
once and still sleeps a second at a time. Where no pipe can be made, the second passes.
"""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

_NAME = "wake"


def ring(data_dir: Path) -> None:
    """Wake whoever listens. Does nothing when nobody does."""
    # ENXIO: nobody listens; ENOENT: no server ever ran here. Either way there is nobody to wake.
    with contextlib.suppress(OSError):
        pipe = os.open(data_dir / _NAME, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"!")
        finally:
            os.close(pipe)


class Bell:
    """The listening end."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _NAME
        self._pipe: int | None = None

    def wait(self, seconds: float) -> bool:
        """Sleep until somebody rings, at most ``seconds``; whether somebody did."""
        if self._pipe is None:
            self._open()
        ready, _, _ = select.select([self._pipe] if self._pipe is not None else [], [], [], seconds)
        if ready and self._pipe is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._pipe, 4096)
        return bool(ready)

    def close(self) -> None:
        """Stop listening."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            if self._path.exists() and not self._path.is_fifo():
                self._path.unlink()  # a copy of a pipe, as backups make: it rings all the time
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._path, 0o600)
        # Read and write: with a writer of our own the pipe never reports its end.
        with contextlib.suppress(OSError):
            self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
