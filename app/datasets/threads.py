"""A few threads for many files. Pillow, zlib and hashlib let go of the interpreter while they work,
so processes would be no faster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = max(2, min(8, os.cpu_count() or 2))


def each(do: Callable[[T], R], things: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Everything with what ``do`` made of it, in order; a few are begun ahead, so that a cancel
    does not wait for ten thousand."""
    begun: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for thing in things:
                begun.append((thing, pool.submit(do, thing)))
                if len(begun) >= 4 * WORKERS:
                    first, future = begun.popleft()
                    yield first, future.result()
            while begun:
                first, future = begun.popleft()
                yield first, future.result()
        finally:
            for _, future in begun:
                future.cancel()
