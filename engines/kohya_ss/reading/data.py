"""Reads folders of pictures: from the GUI's words, or from a dataset config beside the training's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engines import families
from engines.kohya_ss.reading.ledger import Ledger, asked, is_on, whole

_SWITCHES = {"shuffle_caption": "shuffle_tags", "flip_aug": "flip"}
_SETTINGS = ("resolution", "caption_extension", "keep_tokens", "caption_dropout_rate", *_SWITCHES)
_ENGINE_EXTENSION = ".caption"
_ENGINE_EDGE = 512
_BUCKETS = {"min_bucket_reso": ("min", 256), "max_bucket_reso": ("max", 1024)}


def read_data(ledger: Ledger, dataset_config: Mapping[str, Any] | None) -> None:
    """Datasets, buckets and the batch size."""
    size = ledger.take("train_batch_size")
    if asked(size):
        ledger.move("train_batch_size", "batch.size", whole(size))
    if dataset_config is not None:
        from engines.kohya_ss.reading.blocks import read_blocks

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


def read_buckets(ledger: Ledger) -> None:
    """How shapes are grouped. A step that stops sd-scripts for the family is mended."""
    ledger.put("buckets.enabled", False)
    enabled = is_on(ledger.take("enable_bucket"))
    ledger.move("enable_bucket", "buckets.enabled", enabled)
    for key, (field, default) in _BUCKETS.items():
        value = ledger.take(key)
        ledger.put(f"buckets.{field}", default)
        if asked(value):
            ledger.move(key, f"buckets.{field}", whole(value))
    small = is_on(ledger.take("bucket_no_upscale"))
    ledger.put("buckets.upscale", not small)
    if small:
        ledger.translated("bucket_no_upscale", "buckets.upscale")
    _step(ledger)


def _step(ledger: Ledger) -> None:
    family = families.families()[ledger.family].kohya
    assert family is not None
    value = ledger.take("bucket_reso_steps")
    step = whole(value) if asked(value) else 64
    divisor = family.bucket_divisor
    if step % divisor:
        ledger.put("buckets.step", max(divisor, round(step / divisor) * divisor))
        ledger.translated(
            "bucket_reso_steps",
            "buckets.step",
            f"{step} stops sd-scripts, it must divide by {divisor}",
        )
    else:
        ledger.move("bucket_reso_steps", "buckets.step", step)


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


def size_of(value: Any) -> tuple[int, int]:
    """Width and height in pixels of ``512``, ``[512, 768]`` or ``"512,768"``."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    numbers = [whole(str(part).strip()) for part in parts]
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
