"""A row of the field table, and what all sections share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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


class Section(BaseModel):
    """Common rules: frozen, unknown keys refused, numbers may be written as text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )
