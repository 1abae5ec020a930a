"""Reads a dataset config of sd-scripts: its blocks and subsets as our datasets.

A folder that stands in several blocks trains at several resolutions, which is one dataset here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from engines.kohya_ss.reading.buckets import read_buckets, size_of
from engines.kohya_ss.reading.ledger import Ledger, same

_FIELDS = {
    "num_repeats": ("repeats", 1), "caption_extension": ("caption_extension", ".caption"),
    "shuffle_caption": ("shuffle_tags", False), "keep_tokens": ("keep_tags", 0),
    "caption_dropout_rate": ("caption_dropout", 0.0), "flip_aug": ("flip", False),
    "is_reg": ("regularisation", False),
}  # fmt: skip
_BLOCK = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
          "bucket_no_upscale", "batch_size")  # fmt: skip
_FALLBACKS = ("resolution", *_FIELDS, *_BLOCK[:-1])


def read_blocks(ledger: Ledger, config: Mapping[str, Any]) -> None:
    """Every block and subset; a key of the training config counts where the dataset has none."""
    outer = {key: ledger.native[key] for key in _FALLBACKS if key in ledger.native}
    general = {**outer, **_table(config.get("general", {}), "general")}
    blocks = [*_blocks(config, general)]
    _shared(ledger, blocks, outer)
    datasets: list[dict[str, Any]] = []
    for edge, block, subsets in blocks:
        for subset in subsets:
            _add(ledger, datasets, edge, {**_subset_part(block), **subset})
    ledger.put("datasets", datasets)


def _blocks(
    config: Mapping[str, Any], general: Mapping[str, Any]
) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    for block in _tables(config.get("datasets", []), "datasets"):
        values = {**general, **{key: v for key, v in block.items() if key != "subsets"}}
        width, height = size_of(values.get("resolution", 512))
        yield round(math.sqrt(width * height)), values, _tables(block.get("subsets", []), "subsets")


def _tables(value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError(f"{name} of the dataset config is no list")
    return [_table(entry, name) for entry in value]


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} in {name} of the dataset config is no group of keys")
    return value


def _subset_part(block: Mapping[str, Any]) -> dict[str, Any]:
    """What a block hands down to its subsets."""
    return {key: value for key, value in block.items() if key not in (*_BLOCK, "resolution")}


def _shared(
    ledger: Ledger,
    blocks: list[tuple[int, dict[str, Any], list[dict[str, Any]]]],
    outer: Mapping[str, Any],
) -> None:
    """Buckets and batch size are one setting here; blocks that differ keep theirs natively."""
    first = blocks[0][1] if blocks else {}
    for key in outer:
        ledger.take(key)
        if all(block.get(key) is outer[key] for _, block, _ in blocks):
            ledger.translated(key, "datasets")
        else:
            ledger.dropped(key, "the dataset config says it")
    for key in _BLOCK[:-1]:
        if key in first:
            ledger.native[key] = first[key]
    read_buckets(ledger)
    if "batch_size" in first:
        ledger.put("batch.size", first["batch_size"])
        if "train_batch_size" in ledger.source:
            ledger.dropped("train_batch_size", "the dataset config says it")
    for edge, block, _ in blocks:
        place = ledger.block_options.setdefault(edge, {})
        for key in _BLOCK:
            if key in block and not same(block[key], first.get(key)):
                place[key] = block[key]
        width, height = size_of(block.get("resolution", 512))
        if width != height:
            place["resolution"] = [width, height]


def _add(ledger: Ledger, datasets: list[dict[str, Any]], edge: int, subset: dict[str, Any]) -> None:
    """One subset: a dataset of its own, or one more resolution of a folder that is there."""
    found: dict[str, Any] = {"path": str(subset.pop("image_dir", ""))}
    for key, (field, default) in _FIELDS.items():
        found[field] = subset.pop(key, default)
    if not found["shuffle_tags"]:
        found["keep_tags"] = 0
    prefix = subset.get("caption_prefix")
    if prefix and str(prefix).rstrip().endswith(",") and _may_be_trigger(ledger, prefix):
        ledger.put("trigger_word", str(prefix).rstrip().rstrip(","))
        subset.pop("caption_prefix")
    trigger = ledger.document.get("trigger_word")
    if trigger and subset.get("class_tokens") == trigger:
        subset.pop("class_tokens")
    for dataset in datasets:
        if {key: dataset.get(key) for key in found} == found and edge not in dataset["resolution"]:
            dataset["resolution"].append(edge)
            return
    if subset:
        ledger.subset_options[len(datasets)] = subset
    datasets.append({**found, "resolution": [edge]})


def _may_be_trigger(ledger: Ledger, prefix: Any) -> bool:
    word = ledger.document.get("trigger_word")
    return word is None or word == str(prefix).rstrip().rstrip(",")
