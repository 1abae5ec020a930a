"""Native options on their way to the other engine: what means the same goes, the rest stays.

The table is short on purpose: a key is carried over only where both engines do the same with it.
Sources: ``toolkit/config_modules.py`` and ``SDTrainer.py`` of ai-toolkit 27a03a91, the argument
parsers, ``library/train_util.py`` and lycoris-lora's ``kohya.py`` for sd-scripts 48d368fa.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engines.spec import EngineName, JobSpec

_CONFIG: tuple[tuple[str, str, Mapping[Any, Any]], ...] = (
    ("max_grad_norm", "max_grad_norm", {}),
    ("prior_loss_weight", "reg_weight", {}),
    ("loss_type", "loss_type", {"l2": "mse", "l1": "mae"}),
)
"""A job option of sd-scripts, the key below ai-toolkit's ``train``, and its values there (empty:
the same ones; else no other value can be carried over)."""
_PROMPT: tuple[tuple[str, str, Any], ...] = (
    ("n", "neg", str), ("w", "width", int), ("h", "height", int), ("d", "seed", int),
    ("s", "sample_steps", int), ("l", "guidance_scale", (int, float)),
)  # fmt: skip
"""A flag behind one prompt of sd-scripts, and the key of ai-toolkit's sample."""


@dataclass
class Carried:
    """``options`` for the target; ``reasons`` by dotted field for what came and what stayed."""

    options: dict[str, dict[str, Any]]
    reasons: dict[str, str] = field(default_factory=dict)

    def move(self, source: str, target: str, value: Any) -> None:
        """Set the dotted ``target`` below engine_options unless it is set; name both places."""
        *parents, last = target.split(".")
        place: Any = self.options
        for part, following in zip(parents, [*parents[1:], last], strict=True):
            empty: Any = [] if following.isdigit() else {}
            is_list = isinstance(place, list) and part.isdigit()
            if not is_list and not isinstance(place, dict):
                return  # what stands there is of another shape, and is refused as it is
            if is_list:
                place.extend({} for _ in range(int(part) + 1 - len(place)))
                place = place[int(part)]
            else:
                place = place.setdefault(part, empty)
        if isinstance(place, dict) and last not in place:
            place[last] = value
            self.reasons[f"engine_options.{target}"] = f"was engine_options.{source}"
            self.reasons[f"engine_options.{source}"] = f"is engine_options.{target} now"


def literal(value: Any) -> Any:
    """The value that a text stands for, read as sd-scripts reads it; the text where it is none."""
    if not isinstance(value, str):
        return value
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return list(found) if isinstance(found, tuple) else found


def carry(spec: JobSpec, target: EngineName) -> Carried:
    """The spec's native options for ``target``; those of other engines are gone from them."""
    carried = Carried(copy.deepcopy(spec.engine_options))
    for other in [name for name in carried.options if name != target]:
        given = carried.options.pop(other)
        if not given:
            continue
        carried.reasons[f"engine_options.{other}"] = (
            f"an option of {other}, left behind: nothing of {target} is equal to it"
        )
        if (other, target) in _ROADS:
            _ROADS[other, target](carried, given, spec)
    return carried


def _group(value: Any, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _is_one_of(value: Any, words: Mapping[Any, Any]) -> bool:
    return isinstance(value, str) and value in words


def _entries(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [entry if isinstance(entry, Mapping) else {} for entry in found]


def _to_ai_toolkit(carried: Carried, given: Mapping[str, Any], spec: JobSpec) -> None:
    config = _group(given, "config")
    for own, theirs, words in _CONFIG:
        if own in config and (not words or _is_one_of(config[own], words)):
            value = words[config[own]] if words else config[own]
            carried.move(f"kohya_ss.config.{own}", f"ai-toolkit.train.{theirs}", value)
    arguments = config.get("network_args")
    factor = _factor(arguments if isinstance(arguments, list) else [])
    if factor is not None and spec.network.type == "lokr":
        place = "kohya_ss.config.network_args"
        carried.move(place, "ai-toolkit.network.lokr_factor", factor)
        if len(arguments or ()) > 1:
            carried.reasons[f"engine_options.{place}"] = (
                "its factor is engine_options.ai-toolkit.network.lokr_factor now; "
                "the others are left behind: nothing of ai-toolkit is equal to them"
            )
    for number, entry in enumerate(_entries(given.get("prompts"))[: len(spec.sampling.prompts)]):
        for own, theirs, _ in _PROMPT:
            if own in entry:
                there = f"ai-toolkit.sample.samples.{number}.{theirs}"
                carried.move(f"kohya_ss.prompts.{number}.{own}", there, entry[own])


def _factor(arguments: list[Any]) -> int | None:
    for text in arguments:
        name, _, value = str(text).partition("=")
        if name.strip() == "factor" and value.strip().lstrip("-").isdigit():
            return int(value)
    return None


def _to_kohya(carried: Carried, given: Mapping[str, Any], spec: JobSpec) -> None:
    train = _group(given, "train")
    for theirs, own, words in _CONFIG:
        back = {value: key for key, value in words.items()}
        if own in train and (not words or _is_one_of(train[own], back)):
            value = back[train[own]] if words else train[own]
            carried.move(f"ai-toolkit.train.{own}", f"kohya_ss.config.{theirs}", value)
    factor = _group(given, "network").get("lokr_factor")
    if spec.network.type == "lokr" and isinstance(factor, int) and not isinstance(factor, bool):
        place = "ai-toolkit.network.lokr_factor"
        carried.move(place, "kohya_ss.config.network_args", [f"factor={factor}"])
    samples = _entries(_group(given, "sample").get("samples"))
    for number, entry in enumerate(samples[: len(spec.sampling.prompts)]):
        for theirs, own, form in _PROMPT:
            if isinstance(entry.get(own), form):
                there = f"kohya_ss.prompts.{number}.{theirs}"
                carried.move(f"ai-toolkit.sample.samples.{number}.{own}", there, entry[own])


_ROADS: Mapping[tuple[EngineName, EngineName], Callable[..., None]] = {
    ("kohya_ss", "ai-toolkit"): _to_ai_toolkit,
    ("ai-toolkit", "kohya_ss"): _to_kohya,
}
"""From one engine to another, where somebody wrote down which options mean the same."""
