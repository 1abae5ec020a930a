"""The buckets that pictures land in, and what each loses to the crop, by the engine's own rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engines.adapter import ENGINES, Size
from engines.registry import EngineName
from engines.spec import Buckets


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
    that leaves no whole step of a bucket has a row of its own with an edge of 0. Empty for an
    engine whose rule is not known.
    """
    rule = ENGINES[engine].bucket_rule(edge, buckets, divisor)
    if rule is None:
        return []
    found: dict[Size, list[tuple[float, bool, int]]] = {}
    for width, height, count in sizes:
        if width <= 0 or height <= 0:
            continue
        bucket, shown = rule((width, height))
        lost = 1 - min(1.0, bucket[0] * bucket[1] / (shown[0] * shown[1])) if min(shown) else 1.0
        found.setdefault(bucket, []).append((lost, shown[0] > width, count))
    rows = [_row(bucket, parts) for bucket, parts in found.items()]
    return sorted(rows, key=lambda row: (-row.pictures, row.width, row.height))


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
