"""Whole numbers for people: thin spaces between thousands, which no language takes for a decimal mark;
and those that people type.
"""

from __future__ import annotations


def thousands(value: int) -> str:
    """Such as 12 500; the space does not break."""
    return f"{value:,}".replace(",", "\u202f")


def number(value: int | None) -> str:
    """The same, and a dash for nothing."""
    return "–" if value is None else thousands(value)


def whole(text: str) -> int | None:
    """The number that somebody typed; None for what is none, such as ``²``, or is thousands of digits long."""
    try:
        return int(text)
    except ValueError:
        return None
