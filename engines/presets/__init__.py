"""Fills what a document leaves open: defaults by family and by the GPU that is there."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engines import families, folders
from engines.presets import ladder
from engines.presets.able import able, engines_of

__all__ = ["Choice", "complete", "explain"]

_RATE_OF_ITS_OWN = ("prodigy", "dadapt")


@dataclass(frozen=True)
class Choice:
    """One default: the dotted canonical path, the value, where it comes from, and its price.

    ``untested`` marks what was never run on such a card; ``ladder.label()`` says it in full.
    """

    path: str
    value: Any
    source: str
    price: str = ""
    untested: bool = False


def complete(
    document: Mapping[str, Any], *, gpu: bool, vram_gb: float | None = None
) -> dict[str, Any]:
    """A copy of ``document`` with family and hardware defaults where it says nothing.

    ``vram_gb`` is the memory of the card it will run on, in GB; None leaves memory to the
    family's own defaults. What it fills in can be planned by the engine that the document
    names, or by every engine of the family where it names none.
    """
    filled = folders.with_repeats(document)
    for choice in explain(document, gpu=gpu, vram_gb=vram_gb):
        _set_default(filled, choice.path, choice.value)
    return filled


def explain(
    document: Mapping[str, Any], *, gpu: bool, vram_gb: float | None = None
) -> tuple[Choice, ...]:
    """The defaults that ``complete`` takes, in order: of two for one field the first counts."""
    family = families.get(str(document.get("family", "")))
    choices = [*_of_hardware(document, gpu=gpu)]
    if family is None:
        return tuple(choices)
    engines = engines_of(family, document)
    offered = [*_of_card(family, engines, vram_gb if gpu else None), *_of_family(family)]
    choices += _alpha_for(document, offered, follows=_alpha_follows(family, engines))
    seen = {choice.path for choice in choices}
    for choice in offered:
        if choice.path not in seen and able(family, engines, choice.path, choice.value, document):
            seen.add(choice.path)
            choices.append(choice)
    return tuple(choices)


def _of_hardware(document: Mapping[str, Any], *, gpu: bool) -> Iterator[Choice]:
    """Without a GPU neither 8-bit optimizers nor quantised models run."""
    if not gpu:
        yield Choice("optimizer.name", "adamw", "8-bit optimizers need a GPU")
        yield Choice("memory.quantize", "none", "quantised models need a GPU")
    optimizer = document.get("optimizer")
    name = optimizer.get("name") if isinstance(optimizer, Mapping) else None
    if isinstance(name, str) and name.lower().startswith(_RATE_OF_ITS_OWN):
        yield Choice("optimizer.learning_rate", 1.0, f"{name} finds the rate itself")


def _alpha_follows(family: families.Family, engines: Sequence[str]) -> bool:
    """Whether an engine takes the rank for alpha, so that no other value can be had."""
    own = family.ai_toolkit
    return own is not None and "ai-toolkit" in engines and not own.scales_by_alpha


def _alpha_for(
    document: Mapping[str, Any], offered: Sequence[Choice], *, follows: bool
) -> Iterator[Choice]:
    """An alpha in the recipe's proportion to the rank that was asked for."""
    network = document.get("network")
    rank = network.get("rank") if isinstance(network, Mapping) else None
    usual = {choice.path: choice.value for choice in reversed(offered)}
    own = usual.get("network.rank")
    if follows:
        rank = own if rank is None else rank
        if isinstance(rank, int) and 0 < rank < 100_000:
            yield Choice("network.alpha", float(rank), "ai-toolkit takes the rank for alpha")
    elif isinstance(rank, int) and 0 < rank < 100_000 and own:
        alpha = float(f"{rank * usual['network.alpha'] / own:.4g}")
        yield Choice("network.alpha", alpha, "in proportion to the rank")


def _of_card(
    family: families.Family, engines: tuple[str, ...], vram_gb: float | None
) -> Iterator[Choice]:
    if vram_gb is None:
        return
    for row in ladder.memory_rows(family.key, vram_gb):
        if row.engine is None or engines == (row.engine,):
            for path, value in row.values.items():
                yield Choice(path, value, row.source, row.price, untested=True)


def _of_family(family: families.Family) -> Iterator[Choice]:
    recipe = ladder.recipe(family.key)
    if recipe is not None:
        for path, value in recipe.values.items():
            yield Choice(path, value, recipe.source)
    for path, value in family.defaults.items():
        yield Choice(path, value, "the model's own form in ai-toolkit, or its native size")


def _set_default(document: dict[str, Any], path: str, value: Any) -> None:
    head, _, rest = path.partition(".")
    if head.endswith("[]"):
        items = document.get(head[:-2])
        for item in items if isinstance(items, list | tuple) else ():
            if isinstance(item, dict):
                _set_default(item, rest, value)
    elif not rest:
        document.setdefault(head, copy.deepcopy(value))
    else:
        inner = document.setdefault(head, {})
        if isinstance(inner, dict):
            _set_default(inner, rest, value)
