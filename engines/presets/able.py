"""Whether a default may be offered: the engine can do it, and it fits what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engines.families import Family
from engines.spec import EngineName

_FLOAT8 = ("none", "qfloat8", "float8")
_KOHYA_WHOLE = ("anima",)
"""Families that sd-scripts cannot hold in 8 bits."""


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
    return all(
        _ai_toolkit(family, path, value, document)
        if engine == "ai-toolkit"
        else _kohya(family, path, value)
        for engine in engines
    )


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


def _ai_toolkit(family: Family, path: str, value: Any, document: Mapping[str, Any]) -> bool:
    own = family.ai_toolkit
    if own is None:
        return False
    if path == "memory.offload":
        return not value or "model.layer_offloading" in own.extra
    if path == "memory.quantize":
        return value == "none" or "model.quantize" not in own.disabled
    if path == "memory.cache_text":
        prompts = _section(document, "sampling").get("prompts")
        return value == "none" or not prompts or own.draws_with_cached_captions
    return True


def _kohya(family: Family, path: str, value: Any) -> bool:
    own = family.kohya
    if own is None:
        return False
    if path == "memory.offload":
        return not value or own.swap_blocks > 0
    if path == "memory.quantize":
        return value == "none" or (value in _FLOAT8 and family.key not in _KOHYA_WHOLE)
    if path == "memory.cache_text":
        return value == "none" or own.caches_text
    return True
