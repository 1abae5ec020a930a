"""Secrets that a person typed in: one file of mode 0600 in DATA_DIR, never the database.

They appear on no page, in no log, no run directory and no process argument; pages show whether
one is set. The environment (``HF_TOKEN``) wins over what is kept here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_FILE = "secrets.json"


class Vault:
    """Reads the file at each use, so that a child and the command line see what was just set."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _FILE

    def get(self, name: str) -> str | None:
        """The secret, or None where none is set."""
        return self._read().get(name) or None

    def names(self) -> list[str]:
        """Which secrets are set; never their values."""
        return sorted(self._read())

    def put(self, name: str, value: str | None) -> None:
        """Set a secret, or remove it with None. Atomic; raises OSError when it cannot be written.

        A file that cannot be read, such as one edited by hand, is set aside first.
        """
        with self._alone():
            try:
                found = self._parsed()
            except ValueError as error:
                aside = self._path.replace(self._path.with_name(f"{_FILE}.unreadable"))
                log.error("%s: %s; it is kept as %s", self._path, error, aside)
                found = {}
            found.pop(name, None)
            if value:
                found[name] = value
            new = self._path.with_name(f".{_FILE}.new")
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(found, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)

    def _read(self) -> dict[str, str]:
        try:
            return self._parsed()
        except ValueError:
            return {}

    def _parsed(self) -> dict[str, str]:
        """Raises ValueError where the file is not what is written here."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        if not isinstance(found, dict):
            raise ValueError("it holds no secrets by name")
        return {str(k): str(v) for k, v in found.items()}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time: a child that removes a secret would undo what was typed in just now."""
        with self._path.with_name(f".{_FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
