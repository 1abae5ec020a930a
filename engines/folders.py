"""The kohya habit of folder names: ``10_ohwx dog`` means 10 repeats of what is called ohwx dog.

It is understood and never required. The rule is sd-scripts' own (``library/config_util.py``): the
number stands before the first underscore, the rest is the class and its words.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_HABIT = re.compile(r"(\d{1,4})_(.+)")


class Habit(NamedTuple):
    """What a folder's name says: how often each picture is used, and what they show."""

    repeats: int
    concept: str


def kohya_habit(path: str) -> Habit | None:
    """What the last part of a path says; None where it is an ordinary name."""
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    found = _HABIT.fullmatch(name)
    if found is None or int(found[1]) < 1:
        return None
    return Habit(int(found[1]), found[2].strip())


def with_repeats(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``document`` in which a dataset without ``repeats`` has its folder name's."""
    filled = copy.deepcopy(dict(document))
    datasets = filled.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else ():
        if isinstance(dataset, dict) and dataset.get("repeats") is None:
            habit = kohya_habit(str(dataset.get("path") or ""))
            if habit is not None:
                dataset["repeats"] = habit.repeats
    return filled
