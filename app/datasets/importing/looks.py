"""What the files of an import showed: each is read once, while it arrives.

Kept in a journal in the staging folder, so that a try that goes on reads none of them again, and the
scan, the thumbnails and the health report find their work done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from app.datasets import reading, thumbnails
from app.datasets.cached import thumbnails_of
from app.datasets.scanning import Facts, kind_of
from app.settings import Settings

_JOURNAL = "looks.jsonl"


class _Look(NamedTuple):
    """What a file showed as one of its kind."""

    kind: str
    facts: Facts

    def is_of(self, kind: str, stat: os.stat_result) -> bool:
        """Whether it is what a file of that kind, size and time would show."""
        return self.kind == kind and self.facts.is_of(stat.st_size, stat.st_mtime_ns)


class Looks:
    """Of one import. ``of`` may be called from several threads."""

    def __init__(self, staging: Path, settings: Settings, dataset_id: int) -> None:
        self._staging, self._settings, self._dataset_id = staging, settings, dataset_id
        mine = thumbnails_of(settings, dataset_id)
        self._thumbs = mine / staging.name
        self._lock = threading.Lock()
        self._known = dict(_earlier(staging / _JOURNAL))
        self._journal: IO[str] | None = None
        self._over = False

    def of(self, path: Path, kind: str, data: bytes | None = None) -> dict[str, Any]:
        """What a file below the staging folder shows, read as one of that kind (see ``reading.read``).

        A name may lie about the kind, so what was read as another kind is read again.
        """
        stat, key = path.stat(), self._key(path)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known.is_of(kind, stat):
            return known.facts.values
        thumb = self._thumb(key) if kind == "image" else None
        values = reading.read(path, path.name, kind, thumb=thumb, data=data)
        facts = Facts(stat.st_size, stat.st_mtime_ns, values)
        with self._lock:
            self._known[key] = _Look(kind, facts)
            self._write(json.dumps([key, kind, *facts], ensure_ascii=False))
        return values

    def knows(self, path: Path, kind: str) -> bool:
        """Whether ``of`` would read nothing."""
        known = self._known.get(self._key(path))
        return known is not None and known.is_of(kind, path.stat())

    def arrived(self, path: Path, data: bytes | None) -> None:
        """A file came out of a zip or a table. Whatever it is, it is looked at again by its content."""
        kind = kind_of(path.suffix)
        if kind is not None and data is not None:
            self.of(path, kind, data)

    def keep(self) -> None:
        """Have on disk what was seen so far. What a full disk does not take is read again some day."""
        with self._lock:
            self._over = True
            journal, self._journal = self._journal, None
            if journal is not None:
                with contextlib.suppress(OSError):
                    journal.close()

    def hand_over(self, moves: Iterable[tuple[str, str]]) -> dict[str, Facts]:
        """What is known of each file by its new name, once it was moved there; with its thumbnail."""
        found = {}
        for key, name in moves:
            known = self._known.get(key)
            if known is None:
                continue
            facts = found[name] = known.facts
            target = thumbnails.path_of(
                self._settings, self._dataset_id, name, facts.mtime_ns, facts.size
            )
            # Missing: it could not be drawn, or an earlier try moved it.
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._thumb(key), target)
        return found

    def forget(self) -> None:
        """Remove thumbnails that nobody took."""
        shutil.rmtree(self._thumbs, ignore_errors=True)

    def _key(self, path: Path) -> str:
        return str(path)[len(str(self._staging)) + 1 :]

    def _thumb(self, key: str) -> Path:
        return self._thumbs / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.webp"

    def _write(self, line: str) -> None:
        if self._over:
            return  # a thread that was still reading as the import broke off
        if self._journal is None:
            self._journal = (self._staging / _JOURNAL).open("a", encoding="utf-8")
        self._journal.write(line + "\n")


def _earlier(journal: Path) -> Iterable[tuple[str, _Look]]:
    """What an earlier try wrote down; its last line may be cut."""
    try:
        lines = journal.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            key, kind, size, mtime_ns, values = json.loads(line)
            yield key, _Look(kind, Facts(size, mtime_ns, values))


Arrived = Callable[[Path, bytes | None], None]
