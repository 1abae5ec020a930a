"""Where a field of the spec stands in the form, and what a person calls it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from app.numbers import whole
from app.web import place_fields
from engines import families
from engines.catalogue.inputs import FamilyInput
from engines.fields import table

TOOLKIT = "engine_options.ai-toolkit."
_NUMBER = re.compile(r"\.(\d+)(?=\.|$)")
_GROUPS = {"datasets": ("datasets.0.path", "Datasets"), "length": ("length.steps", "Length")}
"""Groups that a complaint may be about as a whole, with the input that it is shown at."""


@dataclass(frozen=True)
class Place:
    """``anchor`` is the id of an input on the page, ``title`` its name for people."""

    anchor: str
    title: str


@cache
def all_inputs() -> dict[str, FamilyInput]:
    """Every family's own inputs by native path; the same path means the same everywhere."""
    return {item.path: item for family in families.families().values() for item in family.inputs}


def pattern_of(name: str) -> str:
    """datasets.0.path is datasets[].path."""
    return _NUMBER.sub("[]", name)


def input_of(name: str, family: str) -> FamilyInput | None:
    """The family's own input that a dotted field of the engine options belongs to."""
    if not name.startswith(TOOLKIT):
        return None
    found = families.get(family)
    path = pattern_of(name.removeprefix(TOOLKIT))
    return next((item for item in (found.inputs if found else ()) if item.path == path), None)


def input_name(item: FamilyInput, dataset: int = 0) -> str:
    """The form field of an input; those of prompts share one, with a line for each prompt."""
    return TOOLKIT + item.path.replace("datasets[]", f"datasets.{dataset}")


def place_of(name: str, family: str = "") -> Place:
    """The place of a dotted field, as an adapter, the validation or a plan names it."""
    item = input_of(name, family)
    if item is not None:
        numbers = _NUMBER.findall(name)
        return Place(input_name(item, (whole(numbers[0]) or 0) if numbers else 0), item.title)
    if name.startswith("engine_options"):
        return Place("engine_options", "Engine options")
    if name.startswith("place."):
        return Place(name, place_fields.title_of(name))
    if name == "engine":
        found = families.get(family)
        alone = found is not None and len(found.engines) == 1
        return Place("family" if alone else name, table()[name].title)
    if name.startswith("components."):
        return Place(name, f"Component {name.removeprefix('components.')}")
    row = table().get(pattern_of(name)) or table().get(name.replace("datasets.", "datasets[].", 1))
    if row is None:
        return Place(*_GROUPS.get(name, (name, name)))
    if not row.path.startswith("datasets[]"):
        return Place(row.path, row.title)
    number = int((_NUMBER.findall(name) or ["0"])[0])
    title = f"Dataset {number + 1}: {row.title}" if number else row.title
    return Place(row.path.replace("[]", f".{number}"), title)
