"""Answers that are kept while a dataset stays as it is."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from app.db import db

T = TypeVar("T")


class Kept(Generic[T]):
    """The latest answers, each with the version of the dataset that it was drawn from."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, tuple[int, float, T]] = OrderedDict()

    def get(self, key: Hashable, version: int, seconds: float, make: Callable[[], T]) -> T:
        """The answer; one of an older version will do for ``seconds``."""
        key = (str(db.engine.url), key)
        found = self._answers.get(key)
        now = time.monotonic()
        if found is None or (found[0] != version and now - found[1] > seconds):
            found = (version, now, make())
            self._answers[key] = found
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return found[2]
