"""What an upload needs of a place, whatever it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PIECE = 1 << 20
RIGHT = ""
"""What ``check`` says of a file whose size and hash are right."""


@dataclass(frozen=True)
class Local:
    """A file as it was when it was hashed."""

    path: Path
    name: str
    size: int
    mtime_ns: int
    sha256: str


Told = Callable[[int, str], None]
"""Called with the bytes that went through since the last call, and the name of the file."""


class Remote(Protocol):
    """A place. Cut connections are raised as RetryLaterError, refusals as UserError."""

    def prepare(self) -> str:
        """Make the place where it is missing; its address in words, without a secret."""

    def send(self, files: Sequence[Local], told: Told) -> None:
        """Upload; goes on where an earlier try was cut, as far as the place allows."""

    def check(self, files: Sequence[Local]) -> dict[str, str]:
        """By name: ``RIGHT``, or a sentence about what is wrong; absent files are left out."""


def digest(
    path: Path, algorithm: str = "sha256", told: Callable[[int], Any] = lambda _n: None
) -> str:
    """The hash of a file as hex, a piece at a time."""
    found = hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
            told(len(piece))
    return found.hexdigest()


def differs(kind: str, there: str, here: str) -> str:
    """The sentence about a wrong hash."""
    return f"The copy is not the file: its {kind} is {there[:16]}…, that of the file {here[:16]}…."


def wrong_size(there: int, here: int) -> str:
    """The sentence about a wrong size."""
    return f"The copy is not whole: {there} bytes there, {here} here."
