"""The fingerprint of a dataset: a sum for each file, for the run card."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.datasets.walking import walk

_OWN = ("metadata_cache.json",)


def fingerprint(path: Path) -> dict[str, str]:
    """sha256 of every file below the folder, by its path relative to it. Reads everything.

    The engines' own caches are left out, since they change with every run; so are files that
    cannot be read. Raises OSError if the folder itself cannot.
    """
    sums = {}
    for file in walk(path, recursive=True).files:
        if file.ending == ".npz" or file.name.rpartition("/")[2] in _OWN:
            continue
        try:
            with (path / file.name).open("rb") as stream:
                sums[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            continue  # deleted meanwhile, or not ours to read
    return sums
