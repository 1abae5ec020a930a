"""Buckets and sizes of pictures, from the options of a job or of a block of its dataset config."""

from __future__ import annotations

from typing import Any

from engines import families
from engines.kohya_ss.reading.ledger import Ledger, asked, is_on, whole

_BUCKETS = {"min_bucket_reso": ("min", 256), "max_bucket_reso": ("max", 1024)}


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


def size_of(value: Any) -> tuple[int, int]:
    """Width and height in pixels of ``512``, ``[512, 768]`` or ``"512,768"``."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    numbers = [whole(str(part).strip()) for part in parts]
    if len(numbers) not in (1, 2) or min(numbers) < 1:
        raise ValueError(f"{value!r} is no size of pictures")
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
