"""What an attempt is called in Slurm: made here, and read here again.

Its comment is the marker of the attempt, ``<job>.<attempt>.<32 hexadecimal digits>``; its name is short
enough to be read in squeue. Another dashboard's job may bear the same name, but not the same mark.
"""

from __future__ import annotations

import re

_MARKER = re.compile(r"(\d+)\.(\d+)\.([0-9a-f]{32})")
_NAME = re.compile(r"lora-(\d+)\.(\d+)-\w+")


def name_of(marker: str) -> str:
    """The name of the attempt with this marker."""
    job, attempt, unique = marker.split(".")
    return f"lora-{job}.{attempt}-{unique[:8]}"


def read_name(name: str) -> tuple[int, int] | None:
    """Job and attempt by a name; None where no dashboard like this one gave it."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def read_marker(marker: str) -> tuple[int, int] | None:
    """The same by a comment."""
    found = _MARKER.fullmatch(marker)
    return (int(found[1]), int(found[2])) if found else None
