"""A row of the field table, and what all sections share."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_STEPS = 10_000_000
"""No run is longer; a number without a bound may be too large to be reckoned with."""


def about(
    default: Any,
    title: str,
    text: str,
    *,
    unit: str = "",
    ai: str | None = None,
    kohya: str | None = None,
    **bounds: Any,
) -> Any:
    """A pydantic field with its row of the table.

    ``text`` is the one sentence of help; ``ai`` and ``kohya`` are the engines' own names
    (None: that engine has no such thing). ``default`` may be ``...`` for a required field.
    """
    extra: dict[str, Any] = {"unit": unit, "native": {"ai-toolkit": ai, "kohya_ss": kohya}}
    factory = bounds.pop("factory", None)
    if factory is not None:
        return Field(
            default_factory=factory,
            title=title,
            description=text,
            json_schema_extra=extra,
            **bounds,
        )
    return Field(default, title=title, description=text, json_schema_extra=extra, **bounds)


def _writable(value: Any) -> Any:
    """Native values are of any kind, but they have to be written into files."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ValueError("It holds half a character, which no file can.") from error
    return value


Native = Annotated[Any, AfterValidator(_writable)]
"""A value that an engine is given as it is."""


class Section(BaseModel):
    """Common rules: frozen, unknown keys refused, numbers may be written as text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )
