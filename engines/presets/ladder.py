"""The table behind the defaults: recipes by family, and what a card of a given size can hold.

``ladder.json`` names the source of every row. The memory rows are an untested synthesis of
what the trainers state; ``LABEL`` says so and has to be shown beside them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.spec import EngineName

_NOMINAL = 0.93
"""A card reports a little less than its name says: 24 GB is told as 23.6 or 22.5."""


@dataclass(frozen=True)
class Row:
    """Defaults for some families. ``values`` maps dotted canonical paths to values.

    ``price`` says in a word what they cost; ``engine`` is None where every engine is meant.
    """

    values: Mapping[str, Any]
    source: str
    price: str = ""
    engine: EngineName | None = None


@cache
def _table() -> Mapping[str, Any]:
    text = (Path(__file__).parent / "ladder.json").read_text("utf-8")
    return MappingProxyType(json.loads(text))


def label() -> str:
    """What has to be said about the memory rows."""
    return str(_table()["label"])


def cards_gb() -> tuple[int, ...]:
    """The card sizes of the ladder, in GB."""
    return tuple(_table()["cards_gb"])


def card_of(vram_gb: float) -> int:
    """The rung for a card with so many GB; the lowest one for a smaller card."""
    fitting = [card for card in cards_gb() if vram_gb >= card * _NOMINAL]
    return max(fitting, default=min(cards_gb()))


def recipe(family: str) -> Row | None:
    """Rank and the like, whatever the card."""
    found = _table()["recipes"].get(family)
    return Row(MappingProxyType(found["values"]), found["source"]) if found else None


def memory_rows(family: str, vram_gb: float) -> tuple[Row, ...]:
    """Rows for that family on that card, those of one engine first."""
    card = card_of(vram_gb)
    rows = [
        Row(MappingProxyType(row["values"]), row["source"], row["price"], row.get("engine"))
        for row in _table()["memory"]
        if family in row["families"] and card in row["cards"]
    ]
    return tuple(sorted(rows, key=lambda row: row.engine is None))


def smallest_card_gb(family: str, engine: EngineName) -> int | None:
    """The smallest card that the sources speak of for that family, in GB; None: unknown."""
    found = _table()["smallest_card_gb"].get(family, {}).get(engine)
    return int(found) if found is not None else None


@dataclass(frozen=True)
class Preset:
    """What a card of ``card_gb`` is given for a family on an engine.

    ``values`` maps dotted canonical paths to values; ``price`` says in a word what they cost.
    ``fits`` is False where no source trains the family on so small a card, None where no source
    speaks of it at all. ``sentence`` says all of this to a person.
    """

    family: str
    engine: EngineName
    card_gb: int
    values: Mapping[str, Any]
    price: str
    source: str
    fits: bool | None
    sentence: str


def preset(family: str, engine: EngineName, card_gb: float) -> Preset:
    """The memory preset of a card, with where it comes from."""
    card, values, prices, sources = card_of(card_gb), {}, [], []
    for row in memory_rows(family, card_gb):
        if row.engine in (None, engine):
            values.update({path: v for path, v in row.values.items() if path not in values})
            prices.append(row.price)
            sources.append(row.source)
    smallest = smallest_card_gb(family, engine)
    fits = None if smallest is None else card >= smallest
    if fits is None and not values:
        sentence = f"No source that we know speaks of {family} on {card} GB; nothing is changed."
    elif fits is False:
        sentence = f"{family} will probably not fit: sources train it on {smallest} GB and more."
    elif values:
        sentence = f"Price: {', '.join(dict.fromkeys(p for p in prices if p)) or 'nothing'}."
    else:
        sentence = "Nothing has to be given up for memory."
    price = ", ".join(dict.fromkeys(p for p in prices if p and p != "nothing"))
    return Preset(
        family, engine, card, MappingProxyType(values), price,
        "; ".join(dict.fromkeys(sources)), fits, sentence,
    )  # fmt: skip
