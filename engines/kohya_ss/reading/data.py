"""Reads folders of pictures: from the GUI's words, or from a dataset config beside the training's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engines.kohya_ss.reading.blocks import read_blocks
from engines.kohya_ss.reading.buckets import read_buckets, size_of
from engines.kohya_ss.reading.ledger import Ledger, asked, is_on, whole

_SWITCHES = {"shuffle_caption": "shuffle_tags", "flip_aug": "flip"}
_SETTINGS = ("resolution", "caption_extension", "keep_tokens", "caption_dropout_rate", *_SWITCHES)
_ENGINE_EXTENSION = ".caption"
_ENGINE_EDGE = 512


def read_data(ledger: Ledger, dataset_config: Mapping[str, Any] | None) -> None:
    """Datasets, buckets and the batch size."""
    size = ledger.take("train_batch_size")
    if asked(size):
        ledger.move("train_batch_size", "batch.size", whole(size))
    if dataset_config is not None:
        ledger.take("dataset_config")
        ledger.translated("dataset_config", "datasets")
        read_blocks(ledger, dataset_config)
        return
    if ledger.take("dataset_config"):
        ledger.dropped("dataset_config", "the file was not given; import both together")
    given = any(key in ledger.native for key in (*_SETTINGS, "train_data_dir", "reg_data_dir"))
    read_buckets(ledger)
    settings = _settings(ledger)
    folders = [(ledger.take(key), key) for key in ("train_data_dir", "reg_data_dir")]
    datasets: list[dict[str, Any]] = []
    for path, key in folders:
        if path or (key == "train_data_dir" and given):
            extra = {"regularisation": True} if key == "reg_data_dir" else {}
            datasets.append({"path": str(path or ""), **settings, **extra})
            if path:
                ledger.take(key)
    ledger.put("datasets", datasets)


def _settings(ledger: Ledger) -> dict[str, Any]:
    """What is one setting for all folders in the GUI, and one for each dataset here."""
    found: dict[str, Any] = {"resolution": [_resolution(ledger)]}
    extension = ledger.take("caption_extension")
    found["caption_extension"] = str(extension or _ENGINE_EXTENSION)
    for key, field in _SWITCHES.items():
        if is_on(ledger.take(key)):
            found[field] = True
    cached = ledger.document.get("memory", {}).get("cache_text", "none") != "none"
    if cached and found.pop("shuffle_tags", False):
        ledger.dropped("shuffle_caption", "sd-scripts stops on it while captions are cached")
    keep = ledger.take("keep_tokens")
    if asked(keep) and found.get("shuffle_tags"):
        found["keep_tags"] = whole(keep)
    elif asked(keep):
        ledger.dropped("keep_tokens", "it has an effect only when tags are shuffled")
    dropout = asked(ledger.take("caption_dropout_rate"))
    if dropout and cached and ledger.family != "anima":
        ledger.dropped("caption_dropout_rate", "sd-scripts stops on it while captions are cached")
    elif dropout:
        found["caption_dropout"] = dropout
    return found


def _resolution(ledger: Ledger) -> int:
    """The edge of the square with that area; other shapes stay as they are beside it."""
    value = ledger.take("resolution")
    width, height = size_of(value) if value else (_ENGINE_EDGE, _ENGINE_EDGE)
    edge = round(math.sqrt(width * height))
    if width != height:
        ledger.block_options.setdefault(edge, {})["resolution"] = [width, height]
    if value:
        place = (
            "datasets.0.resolution"
            if width == height
            else ("engine_options.kohya_ss.dataset.datasets.0.resolution")
        )
        ledger.translated("resolution", place)
    return edge
