"""The name of a job, which its files bear: what it may be, and the nearest one to a text."""

from __future__ import annotations

import re

LONGEST = 80
PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST - 1}}}$"


def nearest(text: str) -> str:
    """The text where it is a name; else what it might be called, empty where nothing is left of it."""
    if re.fullmatch(PATTERN, text):
        return text
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-._")[:LONGEST]


def following(name: str) -> str:
    """dog -> dog-2 -> dog-3; a name that has no room for it loses its last letters."""
    stem, _, last = name.rpartition("-")
    counted = bool(stem) and re.fullmatch("[0-9]{1,9}", last) is not None
    number = f"-{int(last) + 1 if counted else 2}"
    return (stem if counted else name)[: LONGEST - len(number)] + number
