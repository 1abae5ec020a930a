"""The fingerprint of a dataset: a sum for each file, for the run card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from app.datasets.walking import File, walk

_OWN = ("metadata_cache.json",)


def _counted(path: Path) -> Iterator[File]:
    for file in walk(path, recursive=True).files:
        if file.ending != ".npz" and file.name.rpartition("/")[2] not in _OWN:
            yield file


def stamps(path: Path) -> dict[str, tuple[int, int]]:
    """Size and time (nanoseconds) of the same files: cheap, and enough to see what may differ."""
    return {file.name: (file.size, file.mtime_ns) for file in _counted(path)}


def fingerprint(path: Path) -> dict[str, str]:
    """sha256 of every file below the folder, by its path relative to it. Reads everything.

    The engines' own caches are left out, since they change with every run; so are files that
    cannot be read. Raises OSError if the folder itself cannot.
    """
    sums = {}
    for file in _counted(path):
        try:
            with (path / file.name).open("rb") as stream:
                sums[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            continue  # deleted meanwhile, or not ours to read
    return sums
