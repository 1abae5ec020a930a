"""The choice of a model family in the New job form: in groups, with what speaks against each."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from engines import families
from engines.families import Family
from engines.presets import ladder
from engines.registry import EngineName

_OFTEN = "Often trained"
_GROUPS = {
    "image": "Pictures", "instruction": "Edits by instruction", "video": "Video",
    "audio": "Music", "experimental": "Experimental",
}  # fmt: skip
"""The catalogue's words for what a family makes, in the order of the list."""


@dataclass(frozen=True)
class Entry:
    """One family. ``against`` is a few words or empty; ``found_by`` are words that are not on it."""

    key: str
    label: str
    against: str
    found_by: str


def groups(installed: Container[EngineName], card_gb: float | None) -> dict[str, list[Entry]]:
    """All families: those most people look for first, the rest by what they make and by name.

    Within a group those that nothing speaks against come first, so that what can be trained here
    stands together. ``installed`` may be empty: then a newcomer is not told the same at every line.
    ``card_gb`` is None where no card is known.
    """
    found: dict[str, list[Entry]] = {name: [] for name in (_OFTEN, *_GROUPS.values())}
    for family in families.families().values():
        often = family.key in families.FIRST
        name = _OFTEN if often else _GROUPS.get(family.group, family.group.capitalize())
        words = ", ".join(_against(family, installed, card_gb))
        entry = Entry(family.key, family.label, words, family.default_model)
        found.setdefault(name, []).append(entry)
    for name, entries in found.items():
        if name != _OFTEN:
            entries.sort(key=lambda entry: entry.label.lower())
        entries.sort(key=lambda entry: bool(entry.against))
    return {name: entries for name, entries in found.items() if entries}


def _against(
    family: Family, installed: Container[EngineName], card_gb: float | None
) -> Iterable[str]:
    there = [name for name in family.engines if name in installed]
    if installed and not there:
        yield f"needs {' or '.join(family.engines)}"
    if card_gb is None:
        return
    least = [ladder.smallest_card_gb(family.key, name) for name in there or family.engines]
    stated = [gb for gb in least if gb is not None]
    if len(stated) == len(least) and ladder.card_of(card_gb) < min(stated):
        yield f"{min(stated)} GB and more"
