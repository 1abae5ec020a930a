"""A config.process[0] under construction: values by path, and which spec field each came from."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

CONFIG = "config.yaml"

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def split(path: str) -> list[str | int]:
    """``datasets[0].num_repeats`` as its parts: names, and numbers for places in a list."""
    return [name or int(number) for name, number in _STEP.findall(path)]


def generic(path: str) -> str:
    """The path with every number left out: ``datasets[0].x`` is ``datasets[].x``."""
    return re.sub(r"\[\d+\]", "[]", path)


def place(root: dict[str, Any], path: str, value: Any) -> None:
    """Set a value, making the sections and list entries on the way; what is neither gives way."""
    parts = split(path)
    here: Any = root
    for part, following in pairwise(parts):
        group = list if isinstance(following, int) else dict
        _make_room(here, part)
        if not isinstance(here.get(part) if isinstance(here, dict) else here[part], group):
            here[part] = group()
        here = here[part]
    _make_room(here, parts[-1])
    here[parts[-1]] = copy.deepcopy(value)


def _make_room(here: Any, part: str | int) -> None:
    if isinstance(part, int):
        here.extend({} for _ in range(part + 1 - len(here)))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path; what is empty, and a list of plain values, is one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for number, entry in enumerate(value):
            yield from leaves(entry, f"{path}[{number}]")
    else:
        yield path, value


@dataclass
class Draft:
    """What will be written, and where each value came from.

    ``sources`` maps "config.yaml:path" of a value to a canonical field, or to its place in the
    engine options. What is not in it, the platform sets by itself.
    """

    process: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, path: str, value: Any, source: str | None = None) -> None:
        """Set ``path`` below config.process[0]; ``source`` is the spec field it came from.

        A value put later takes the place of the former one, and its source with it.
        """
        place(self.process, path, value)
        for leaf, _ in leaves(value, path):
            if source is None:
                self.sources.pop(f"{CONFIG}:{leaf}", None)
            else:
                self.sources[f"{CONFIG}:{leaf}"] = source

    def settle(self) -> None:
        """Leave out sources of what is no value any more: groups that were filled afterwards."""
        written = {f"{CONFIG}:{path}" for path, _ in leaves(self.process)}
        self.sources = {path: field for path, field in self.sources.items() if path in written}

    def note(self, sentence: str) -> None:
        """Add a sentence for people, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
