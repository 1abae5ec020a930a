"""Form fields of a family's own inputs (control pictures, frames): in and out of the engine options.

Each has a field of its own in the form and stands in the document by ai-toolkit's key. Those of
prompts share one text with a line for each prompt, in order; a blank line is for none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from app.numbers import whole
from app.web.places import TOOLKIT, all_inputs, input_name, pattern_of
from engines import families
from engines.catalogue.inputs import FamilyInput

_SAMPLES = "sample.samples[]."
_MOST = 999
_WORDS = {"integer": "a whole number", "number": "a number", "switch": "on or off"}


def read(form: Mapping[str, str], document: dict[str, Any], errors: dict[str, str]) -> None:
    """Put the form's family inputs into ``document``; a sentence in ``errors`` for a bad one."""
    given = {name: text for name, text in form.items() if name.startswith(TOOLKIT) and text.strip()}
    options = document.get("engine_options", {})
    if not given or not isinstance(options, dict):
        return
    native = options.setdefault("ai-toolkit", {})
    if not isinstance(native, dict):
        return
    document["engine_options"] = options
    for name, text in given.items():
        path = name.removeprefix(TOOLKIT)
        item = all_inputs().get(pattern_of(path))
        if item is None:
            continue
        try:
            for spot, line in _spots(path, text):
                _place(native, spot.split("."), _value(item, line))
        except ValueError:
            errors[name] = f"This must be {_WORDS.get(item.kind, 'text')}; {text.strip()!r} is not."


def _spots(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Where in the options a field's text goes: as it is, or line by line to the prompts."""
    if not path.startswith(_SAMPLES):
        yield path, text.strip()
        return
    for number, line in enumerate(text.splitlines()):
        if line.strip():
            yield path.replace("[]", f".{number}"), line.strip()


def _value(item: FamilyInput, text: str) -> Any:
    if item.kind == "integer":
        return int(text)
    if item.kind == "number":
        return float(text)
    if item.kind == "switch":
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return text


def _place(root: dict[str, Any], parts: list[str], value: Any) -> None:
    """Set a value. A number is a place in a list, or a key where the document holds a mapping.

    Raises ValueError where the document holds something else on the way.
    """
    if any(part.isdigit() and int(part) > _MOST for part in parts):
        raise ValueError(parts)
    here: Any = root
    for part, following in pairwise(parts):
        here = _step(here, part, following)
        if not isinstance(here, dict | list):
            raise ValueError(part)
    here[_key(here, parts[-1])] = value


def _step(here: Any, part: str, following: str) -> Any:
    key = _key(here, part)
    if isinstance(here, list):
        here += [{} for _ in range(int(part) + 1 - len(here))]
        return here[int(part)]
    if here.get(key) is None:
        here[key] = [] if following.isdigit() else {}
    return here[key]


def _key(here: Any, part: str) -> Any:
    if isinstance(here, dict) and part.isdigit() and int(part) in here:
        return int(part)
    return int(part) if isinstance(here, list) else part


def fill(document: Mapping[str, Any]) -> tuple[dict[str, str], Any]:
    """Form fields of the family's inputs, and the engine options without them."""
    options = copy.deepcopy(document.get("engine_options"))
    native = options.get("ai-toolkit") if isinstance(options, dict) else None
    family = families.get(str(document.get("family", "")))
    if not isinstance(native, dict) or family is None:
        return {}, options
    fields: dict[str, str] = {}
    for item in family.inputs:
        _take(native, item, fields)
    for path in ("sample.samples", "datasets"):
        _drop_empty(native, path.split("."))
    for section in ("sample", "model", "train"):
        _drop_empty(native, [section, "model_kwargs"])
        _drop_empty(native, [section])
    if isinstance(options, dict) and not native:
        options.pop("ai-toolkit")
    return fields, options


def _take(native: dict[str, Any], item: FamilyInput, fields: dict[str, str]) -> None:
    """Move one input's values from the options to the form's fields."""
    head, several, key = item.path.partition("[].")
    if not several:
        *sections, last = item.path.split(".")
        _pop(_find(native, sections), last, input_name(item), fields)
        return
    entries = _find(native, head.split("."))
    if isinstance(entries, Mapping):
        entries = [entries.get(n, entries.get(str(n), {})) for n in range(_length(entries))]
    if not isinstance(entries, list):
        return
    if head == "datasets":
        for number, entry in enumerate(entries):
            _pop(entry, key, input_name(item, number), fields)
        return
    found: dict[str, str] = {}
    for number, entry in enumerate(entries):
        _pop(entry, key, str(number), found)
    if found:
        rows = [found.get(str(number), "") for number in range(len(entries))]
        fields[input_name(item)] = "\n".join(rows).rstrip("\n")


def _length(entries: Mapping[Any, Any]) -> int:
    numbers = [n for key in entries if (n := whole(str(key))) is not None and n <= _MOST]
    return max(numbers, default=-1) + 1


def _find(place: Any, parts: list[str]) -> Any:
    for part in parts:
        place = place.get(part) if isinstance(place, Mapping) else None
    return place


def _pop(entry: Any, key: str, name: str, fields: dict[str, str]) -> None:
    value = entry.get(key) if isinstance(entry, dict) else None
    if value is None or isinstance(value, dict | list) or value == "":
        return
    entry.pop(key)
    fields[name] = text_of(value)


def text_of(value: Any) -> str:
    """A value as the form shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)


def _drop_empty(native: dict[str, Any], parts: list[str]) -> None:
    """Remove a group that holds nothing any more."""
    *above, last = parts
    parent = _find(native, above)
    if isinstance(parent, dict) and last in parent:
        held = parent[last]
        entries = list(held.values()) if isinstance(held, Mapping) else held
        if held in ({}, []) or (
            isinstance(entries, list)
            and entries
            and all(entry == {} for entry in entries)
            and last in ("datasets", "samples")
        ):
            parent.pop(last)
