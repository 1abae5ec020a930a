"""Whether the datasets of a job are still what it trained on.

Compared by time and size with what was written down at its start; only files that differ in these
are hashed, by a thread, and what it found is remembered while the program runs.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import datasets
from app.jobs.rundir import RunDir, TornFileError, read_json

MOST_REMEMBERED = 50_000
_Key = tuple[str, int, int]
_sums: OrderedDict[_Key, str] = OrderedDict()
_busy: set[_Key] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Change:
    """What became of one dataset since; ``unsure`` files are still being compared.

    ``missing``: there is no such folder any more.
    """

    path: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    unsure: int = 0
    missing: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is different."""
        return bool(self.added or self.removed or self.changed or self.missing)


def since(run: RunDir) -> list[Change]:
    """One for each dataset that the run card holds; empty where none was fingerprinted."""
    try:
        card = read_json(run.run_card) or {}
    except TornFileError:
        return []  # the next start writes it anew
    stored = card.get("datasets")
    if not isinstance(stored, dict):
        return []
    seen = card.get("dataset_stamps") or {}
    return [_compare(path, sums, seen.get(path) or {}) for path, sums in stored.items()]


def _compare(path: str, sums: Mapping[str, str], seen: Mapping[str, Any]) -> Change:
    folder = Path(path)
    try:
        now = datasets.stamps(folder)
    except OSError:
        return Change(path, missing=True)
    changed, todo = 0, []
    for name in now.keys() & sums.keys():
        if tuple(seen.get(name) or ()) == now[name]:
            continue
        key = (str(folder / name), *now[name])
        known = _sums.get(key)
        if known is None:
            todo.append(key)
        changed += known is not None and known != sums[name]
    _hash_later(todo)
    return Change(
        path, len(now.keys() - sums.keys()), len(sums.keys() - now.keys()), changed, len(todo)
    )


def _hash_later(keys: list[_Key]) -> None:
    with _lock:
        fresh = [key for key in keys if key not in _busy]
        _busy.update(fresh)
    if fresh:
        threading.Thread(target=_hash, args=(fresh,), name="compare-dataset", daemon=True).start()


def _hash(keys: list[_Key]) -> None:
    for key in keys:
        try:
            with open(key[0], "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            digest = "unreadable"
        with _lock:
            _sums[key] = digest
            _busy.discard(key)
            while len(_sums) > MOST_REMEMBERED:
                _sums.popitem(last=False)
