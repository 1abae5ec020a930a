"""The buckets that pictures land in, and what each loses to the crop, by the engine's own rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engines.ai_toolkit.length import bucket as toolkit_bucket
from engines.kohya_ss import buckets as kohya
from engines.spec import Buckets, EngineName

Size = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One bucket in pixels. ``cropped`` is the share of a picture's area that is cut off, 0 to 1:
    the mean over its pictures, and the ``worst``. ``enlarged`` counts those made larger.
    """

    width: int
    height: int
    pictures: int
    cropped: float
    worst: float
    enlarged: int


def table(
    engine: EngineName,
    sizes: Sequence[tuple[int, int, int]],
    edge: int,
    buckets: Buckets,
    *,
    divisor: int = 16,
) -> list[Row]:
    """The buckets of pictures, given as (width, height, how many), at one resolution.

    Fullest first. ``divisor`` is what ai-toolkit's edges are multiples of for the model. A picture
    that leaves no whole step of a bucket has a row of its own with an edge of 0.
    """
    fixed = kohya.resolutions(edge, buckets) if engine == "kohya_ss" else []
    found: dict[Size, list[tuple[float, bool, int]]] = {}
    for width, height, count in sizes:
        if width <= 0 or height <= 0:
            continue
        size = (width, height)
        if engine == "kohya_ss":
            bucket = kohya.bucket_of(size, edge, buckets, fixed)
            shown = kohya.shown_at(size, edge, buckets, fixed)
        else:
            bucket, shown = _toolkit(size, edge, buckets, divisor)
        lost = 1 - min(1.0, bucket[0] * bucket[1] / (shown[0] * shown[1])) if min(shown) else 1.0
        found.setdefault(bucket, []).append((lost, shown[0] > width, count))
    rows = [_row(bucket, parts) for bucket, parts in found.items()]
    return sorted(rows, key=lambda row: (-row.pictures, row.width, row.height))


def _toolkit(size: Size, edge: int, buckets: Buckets, divisor: int) -> tuple[Size, Size]:
    """Its bucket, and the size it is scaled to: rounded up, then cut in the middle."""
    bucket = toolkit_bucket(*size, edge, divisor) if buckets.enabled else (edge, edge)
    scale = max(bucket[0] / size[0], bucket[1] / size[1])
    shown = (math.ceil(size[0] * scale - 1e-9), math.ceil(size[1] * scale - 1e-9))
    return bucket, shown


def _row(bucket: Size, parts: Sequence[tuple[float, bool, int]]) -> Row:
    pictures = sum(count for _, _, count in parts)
    return Row(
        width=bucket[0],
        height=bucket[1],
        pictures=pictures,
        cropped=sum(lost * count for lost, _, count in parts) / pictures,
        worst=max(lost for lost, _, _ in parts),
        enlarged=sum(count for _, larger, count in parts if larger),
    )
