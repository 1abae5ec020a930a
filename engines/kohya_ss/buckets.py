"""How sd-scripts groups pictures into buckets, and so how many batches an epoch has.

Behaviour read from kohya-ss/sd-scripts 48d368fa, ``library/train_util.py`` and
``library/model_util.py``, and checked against the ``num batches per epoch`` it prints.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from engines.base import DatasetFacts
from engines.spec import Buckets, JobSpec

Size = tuple[int, int]


def resolutions(edge: int, buckets: Buckets) -> list[Size]:
    """The fixed buckets, (width, height) in pixels, that pictures are enlarged or shrunk to."""
    area, step = edge * edge, buckets.step
    shortest, longest = min(buckets.min, edge), max(buckets.max, edge)
    shortest, longest = shortest - shortest % step, longest + -longest % step
    square = int(math.sqrt(area) // step) * step
    found = {(square, square)}
    width = max(shortest, step)
    while width <= longest:
        height = min(longest, (area // width) // step * step)
        if height >= shortest:
            found |= {(width, height), (height, width)}
        width += step
    return sorted(bucket for bucket in found if min(bucket))


def bucket_of(size: Size, edge: int, buckets: Buckets, fixed: Sequence[Size]) -> Size:
    """The bucket of a picture of ``size`` pixels when training at ``edge``."""
    if not buckets.enabled:
        return (edge, edge)
    if buckets.upscale:
        if size in fixed:
            return size
        if not fixed:
            return (0, 0)
        aspect = size[0] / size[1]
        return min(fixed, key=lambda bucket: abs(bucket[0] / bucket[1] - aspect))
    width, height = _shrunk(size, edge * edge, buckets.step)
    return (width - width % buckets.step, height - height % buckets.step)


def shown_at(size: Size, edge: int, buckets: Buckets, fixed: Sequence[Size]) -> Size:
    """The size in pixels that a picture is scaled to before it is cut to its bucket."""
    if buckets.enabled and not buckets.upscale:
        return _shrunk(size, edge * edge, buckets.step)
    bucket = bucket_of(size, edge, buckets, fixed)
    scale = max(bucket[0] / size[0], bucket[1] / size[1])
    return max(bucket[0], int(size[0] * scale + 0.5)), max(bucket[1], int(size[1] * scale + 0.5))


def _shrunk(size: Size, area: int, step: int) -> Size:
    """A picture larger than the area, scaled so that one edge is a multiple of ``step``."""
    width, height = size
    if width * height <= area:
        return size
    aspect = width / height
    ideal = math.sqrt(area * aspect)
    by_width = _round(ideal, step)
    by_height = _round(area / ideal, step)
    # A very long picture can round to nothing; the engine would divide by zero as well.
    aspect_by_width = by_width / max(1, _round(by_width / aspect, step))
    aspect_by_height = _round(by_height * aspect, step) / max(1, by_height)
    if abs(aspect_by_width - aspect) < abs(aspect_by_height - aspect):
        return by_width, int(by_width / aspect + 0.5)
    return int(by_height * aspect + 0.5), by_height


def _round(value: float, step: int) -> int:
    whole = int(value + 0.5)
    return whole - whole % step


def misfit(spec: JobSpec, facts: Sequence[DatasetFacts]) -> str:
    """The resolution or first picture whose bucket would have no width or height; else empty.

    The engine dies of it with a division by zero.
    """
    step = spec.buckets.step
    if not spec.buckets.enabled:
        return ""
    if spec.buckets.upscale:
        least = min([spec.buckets.min, *edges(spec)])
        if least >= step:
            return ""
        return (
            f"A smallest edge, or a resolution, of {least} px leaves no whole step of {step} px. Use a "
            "smaller bucket step, or no edge below it."
        )
    for dataset, fact in zip(spec.datasets, facts, strict=True):
        for edge in dataset.resolution:
            for width, height, _ in fact.sizes:
                if min(bucket_of((width, height), edge, spec.buckets, ())) == 0:
                    return (
                        f"A picture of {width}x{height} px leaves no whole step of {step} px "
                        f"at resolution {edge}. Use a smaller bucket step or a higher resolution, switch "
                        "on 'Enlarge small pictures', or remove the picture."
                    )
    return ""


def batches_per_epoch(spec: JobSpec, facts: Sequence[DatasetFacts]) -> int:
    """Batches of one epoch over all datasets, each resolution counted on its own.

    Regularisation pictures are repeated or cut until they are as many as the training pictures
    of the same dataset block.
    """
    total = 0
    for edge in edges(spec):
        counts = _bucket_counts(spec, facts, edge)
        total += sum(math.ceil(count / spec.batch.size) for count in counts.values())
    return total


def edges(spec: JobSpec) -> list[int]:
    """Every resolution that some dataset trains at, in the order they appear."""
    return list(dict.fromkeys(edge for dataset in spec.datasets for edge in dataset.resolution))


def _bucket_counts(spec: JobSpec, facts: Sequence[DatasetFacts], edge: int) -> Counter[Size]:
    fixed = resolutions(edge, spec.buckets)
    counts: Counter[Size] = Counter()
    regular: list[tuple[Size, int, int]] = []
    for dataset, fact in zip(spec.datasets, facts, strict=True):
        if edge not in dataset.resolution:
            continue
        for width, height, number in fact.sizes:
            bucket = bucket_of((width, height), edge, spec.buckets, fixed)
            if dataset.regularisation:
                regular.append((bucket, number, dataset.repeats))
            else:
                counts[bucket] += number * dataset.repeats
    _fill_with_regular(counts, regular)
    return counts


def _fill_with_regular(counts: Counter[Size], regular: list[tuple[Size, int, int]]) -> None:
    """Add regularisation pictures until there are as many as training pictures."""
    wanted, first = counts.total(), True
    filled = 0
    if not any(number for _, number, _ in regular):
        return
    while filled < wanted:
        for bucket, number, repeats in regular:
            for _ in range(number):
                counts[bucket] += repeats if first else 1
                filled += repeats if first else 1
                if filled >= wanted:
                    return
        first = False


def steps_per_epoch(spec: JobSpec, facts: Sequence[DatasetFacts]) -> int:
    """Optimizer steps of one epoch on one device."""
    return max(1, math.ceil(batches_per_epoch(spec, facts) / spec.batch.gradient_accumulation))
