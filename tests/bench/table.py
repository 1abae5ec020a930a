"""A table of measurements that grows while they are made; each bench adds its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Watch:
    """``seconds`` once the block is over."""

    seconds: float = 0.0


class Table:
    """Rows of a label and a value, printed as they come, so that a broken run still tells something."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def add(self, label: str, value: str) -> None:
        self.rows.append((label, value))
        print(f"{label:64}  {value}", flush=True)

    def ratio(self, label: str, ours: float, theirs: float, limit: float | None = None) -> None:
        """Ours against what we compare with, in seconds."""
        asked = f" (asked: {limit:g} at most)" if limit is not None else ""
        self.add(label, f"{ours / theirs:.2f}{asked}  [{ours:.4g} s against {theirs:.4g} s]")


@contextmanager
def watch() -> Iterator[Watch]:
    """Time a block."""
    found, begin = Watch(), time.monotonic()
    yield found
    found.seconds = time.monotonic() - begin


Bench = Callable[[Table], None]
