"""Turns pydantic's messages into plain sentences, one per dotted field."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from app.numbers import thousands
from engines import naming
from engines.fields import table

_KINDS = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field.",
    "int_parsing": "This must be a whole number; {input!r} is not.",
    "int_from_float": "This must be a whole number; {input!r} is not.",
    "float_parsing": "This must be a number; {input!r} is not.",
    "bool_parsing": "This must be on or off; {input!r} is neither.",
    "finite_number": "This must be an ordinary number; {input!r} is not.",
    "greater_than": "This must be more than {gt}.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than": "This must be less than {lt}.",
    "less_than_equal": "This must be at most {le}.",
    "string_too_short": "This is needed.",
    "string_too_long": "This is too long: at most {max_length} characters.",
    "too_short": "Give at least one.",
    "literal_error": "Choose {expected}.",
    "string_type": "This must be text.",
    "dict_type": "This must be a mapping of names to values.",
    "model_type": "This must be a group of fields.",
    "tuple_type": "This must be a list.",
}
_PATTERNS = {
    "name": "Use letters, digits, dot, dash and underscore, starting with a letter or digit; "
    "{input!r} has something else.{offer}",
    "datasets[].caption_extension": "This is a file ending such as .txt; {input!r} is not.",
}
_MISSING = {"length": "Give either steps or epochs."}
"""Fields of which the sentence does not go without saying what is needed."""
_QUOTED = 80
"""Characters of what somebody typed, at most, in a sentence."""


def field_of(location: tuple[Any, ...]) -> str:
    """A dotted field from pydantic's location: ("datasets", 0, "path") is datasets.0.path.

    Names of union members, which pydantic adds to the location, are left out.
    """
    parts: list[str] = []
    for part in location:
        if isinstance(part, str) and (
            part.startswith(("literal[", "function-")) or part == "ResumeFrom"
        ):
            continue
        parts.append(str(part))
    return ".".join(parts)


def pattern_of(field: str) -> str:
    """The field's row in the table: datasets.0.path is datasets[].path."""
    return ".".join("[]" if part.isdigit() else part for part in field.split(".")).replace(
        ".[]", "[]"
    )


def explain(error: ValidationError) -> dict[str, str]:
    """One sentence for each field that pydantic refused; the first complaint wins."""
    found: dict[str, str] = {}
    for item in error.errors():
        field = field_of(item["loc"])
        found.setdefault(_home_of(field), _sentence(field, dict(item)))
    return found


def _home_of(field: str) -> str:
    """List items complain at their list: prompts and resolutions have one input in the form."""
    head, _, last = field.rpartition(".")
    row = table().get(pattern_of(head)) if last.isdigit() else None
    return head if row and row.kind == "list" else field


def _sentence(field: str, item: dict[str, Any]) -> str:
    kind = str(item["type"])
    context = {
        name: thousands(value) if isinstance(value, int) else value
        for name, value in (item.get("ctx") or {}).items()
    }
    if kind == "value_error":
        return str(item["msg"]).removeprefix("Value error, ")
    if kind == "missing" and field in _MISSING:
        return _MISSING[field]
    given = item["input"]
    if isinstance(given, str) and len(given) > _QUOTED:
        item["input"] = given[:_QUOTED] + "..."
    if kind == "string_pattern_mismatch":
        if field == "name" and len(given) > naming.LONGEST:
            return f"At most {naming.LONGEST} characters; this has {len(given)}."
        template = _PATTERNS.get(pattern_of(field), "{input!r} is not of the right form.")
        return template.format(input=item["input"], offer=_offer(given))
    if kind == "extra_forbidden":
        return f"There is no field {field.rpartition('.')[2]!r} here."
    template = _KINDS.get(kind, "")
    return template.format(input=item["input"], **context) if template else str(item["msg"])


def _offer(name: str) -> str:
    """A name as near to that one as is allowed, if letters are left of it."""
    near = naming.nearest(name)
    return f" Take {near!r}, for example." if near else ""
