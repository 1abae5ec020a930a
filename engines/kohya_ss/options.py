"""The option lists of sd-scripts' LoRA scripts, and the check of native files against them.

The job TOML is read without any check of keys, types or choices: unknown keys are silently
ignored, so this is the only check there is. The dataset TOML is checked by the engine, late.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engines.base import Complaint, OptionList

_FOLDER = Path(__file__).parent / "options"
_CHECKOUT = Path(__file__).parent / "checkout.json"
COMMIT = "48d368fa557731ad0488c07304dfeba8c07910eb"

_SUBSET: dict[str, type | tuple[type, ...]] = {
    "color_aug": bool, "face_crop_aug_range": list, "flip_aug": bool, "num_repeats": int,
    "random_crop": bool, "shuffle_caption": bool, "keep_tokens": int, "keep_tokens_separator": str,
    "secondary_separator": str, "caption_separator": str, "enable_wildcard": bool,
    "token_warmup_min": int, "token_warmup_step": (int, float), "caption_prefix": str,
    "caption_suffix": str, "custom_attributes": dict, "resize_interpolation": str,
    "caption_dropout_every_n_epochs": int, "caption_dropout_rate": (int, float),
    "caption_tag_dropout_rate": (int, float), "caption_extension": str, "class_tokens": str,
    "cache_info": bool,
}  # fmt: skip
_SUBSET_ONLY: dict[str, type | tuple[type, ...]] = {
    "image_dir": str, "is_reg": bool, "alpha_mask": bool, "metadata_file": str,
    # Read with masked_loss only: the folder of the masks.
    "conditioning_data_dir": str,
}  # fmt: skip
_DATASET: dict[str, type | tuple[type, ...]] = {
    "batch_size": int, "bucket_no_upscale": bool, "bucket_reso_steps": int, "enable_bucket": bool,
    "max_bucket_reso": int, "min_bucket_reso": int, "validation_seed": int,
    "validation_split": float, "resolution": (int, list), "network_multiplier": float,
}  # fmt: skip


@cache
def shipped() -> OptionList:
    """The lists of the pinned commit."""
    scripts = {
        path.stem: json.loads(path.read_text("utf-8"))["options"]
        for path in sorted(_FOLDER.glob("*.json"))
    }
    rest = json.loads(_CHECKOUT.read_text("utf-8"))
    source = f"shipped with the project, for sd-scripts {COMMIT[:8]}"
    return OptionList(source, scripts, tuple(rest["modules"]), tuple(rest["dataset_keys"]))


def complaints(files: Mapping[str, str], script: str, options: OptionList) -> Iterator[Complaint]:
    """One for each key or value of the two TOML files that the engine does not know."""
    known: Mapping[str, Any] = options.data.get(script, {})
    config = tomllib.loads(files["config.toml"])
    if not known:
        yield Complaint(
            "config.toml:", f"There is no {script}.py, so the family cannot be trained."
        )
        return
    module = str(config.get("network_module", ""))
    if options.modules and module.startswith("networks.") and module not in options.modules:
        yield Complaint("config.toml:network_module", f"There is no network module {module}.")
    for key, value in config.items():
        if key not in known:
            yield Complaint(f"config.toml:{key}", f"{script} has no option {key!r}.")
        elif problem := misfit(value, known[key]):
            yield Complaint(f"config.toml:{key}", f"{key} {problem}.")
    if "dataset.toml" in files:
        yield from _dataset_complaints(tomllib.loads(files["dataset.toml"]), options)


def misfit(value: Any, option: Mapping[str, Any]) -> str:
    """Why a TOML value does not fit an option; empty when it does."""
    if option.get("switch"):
        return (
            "" if isinstance(value, bool) else f"is a switch; {value!r} is neither true nor false"
        )
    if option.get("many"):
        if not isinstance(value, list):
            return f"is a list; {value!r} is not"
        return next((p for item in value if (p := _scalar_misfit(item, option))), "")
    return _scalar_misfit(value, option)


def _scalar_misfit(value: Any, option: Mapping[str, Any]) -> str:
    choices = option.get("choices")
    if choices is not None and value not in choices:
        return f"must be one of {', '.join(str(c) for c in choices if c is not None)}; {value!r} is not"
    kind = str(option.get("type") or "str")
    allowed: dict[str, tuple[type, ...]] = {
        "int": (int,), "float": (int, float), "int_or_float": (int, float), "bool": (bool,),
        "str": (str,), "path": (str,),
    }  # fmt: skip
    right = isinstance(value, allowed.get(kind, (object,)))
    if isinstance(value, bool) and kind != "bool":
        right = False
    return "" if right else f"must be of type {kind}; {value!r} is not"


def _dataset_complaints(document: Mapping[str, Any], options: OptionList) -> Iterator[Complaint]:
    able = {**_DATASET, **_SUBSET, **_SUBSET_ONLY}
    if options.dataset_keys:
        # A newer engine may have more, of whatever type; an older one fewer.
        able = {key: able.get(key, object) for key in options.dataset_keys}
    outer = {key: kind for key, kind in able.items() if key not in _SUBSET_ONLY}
    inner = {key: kind for key, kind in able.items() if key not in _DATASET}
    levels = {"general": outer, "datasets": outer}
    for key in document:
        if key not in ("general", "datasets"):
            yield Complaint(f"dataset.toml:{key}", f"A dataset config has no section {key!r}.")
    yield from _fits("general", document.get("general", {}), levels["general"])
    for index, block in enumerate(document.get("datasets", [])):
        where = f"datasets[{index}]"
        rest = {key: value for key, value in block.items() if key != "subsets"}
        yield from _fits(where, rest, levels["datasets"])
        for number, subset in enumerate(block.get("subsets", [])):
            yield from _fits(f"{where}.subsets[{number}]", subset, inner)


def _fits(
    where: str, values: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]]
) -> Iterator[Complaint]:
    for key, value in values.items():
        place = f"dataset.toml:{where}.{key}"
        if key not in known:
            yield Complaint(place, f"A dataset config has no key {key!r}.")
        elif not isinstance(value, known[key]) or (
            isinstance(value, bool) and known[key] is not bool
        ):
            yield Complaint(place, f"{key} is {value!r}, which is of the wrong type.")
