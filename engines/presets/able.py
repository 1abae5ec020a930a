"""Whether a default may be offered: the engine can do it, and it fits what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engines.adapter import ENGINES
from engines.families import Family
from engines.registry import EngineName


def engines_of(family: Family, document: Mapping[str, Any]) -> tuple[EngineName, ...]:
    """The engine that was chosen, or all that train the family."""
    chosen = document.get("engine", "auto")
    return tuple(name for name in family.engines if chosen in ("auto", name)) or family.engines


def able(
    family: Family,
    engines: Iterable[EngineName],
    path: str,
    value: Any,
    document: Mapping[str, Any],
) -> bool:
    """Whether every one of ``engines`` can take this default beside what the document says."""
    if path == "memory.cache_text" and value != "none" and not _captions_are_fixed(document):
        return False
    if path == "memory.quantize" and value != "none" and _whole_numbers(document):
        return False
    return all(ENGINES[name].takes_default(family.key, path, value, document) for name in engines)


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _captions_are_fixed(document: Mapping[str, Any]) -> bool:
    """Nothing asked for changes a caption while training."""
    datasets = document.get("datasets")
    for dataset in datasets if isinstance(datasets, list | tuple) else ():
        if isinstance(dataset, Mapping) and (
            dataset.get("caption_dropout") or dataset.get("shuffle_tags")
        ):
            return False
    return not _section(document, "optimizer").get("text_encoder_learning_rate")


def _whole_numbers(document: Mapping[str, Any]) -> bool:
    return _section(document, "memory").get("mixed_precision") in ("no", "fp32", False)
