"""Secrets that a person typed in: one file of mode 0600 in DATA_DIR, never the database.

They appear on no page, in no log, no run directory and no process argument; pages show whether
one is set. The environment (``HF_TOKEN``) wins over what is kept here.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path

_FILE = "secrets.json"
_lock = threading.Lock()


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
        """Set a secret, or remove it with None. Atomic; raises OSError when it cannot be written."""
        with _lock:
            found = self._read()
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
            found = json.loads(self._path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
