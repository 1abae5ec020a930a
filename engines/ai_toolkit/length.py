"""Epochs in steps: this engine counts steps only, so passes over the pictures are computed.

The list of pictures is built as the engine builds it (toolkit/data_loader.py): each picture
times its repeats, twice with flip, once more for every resolution, grouped by shape; a batch
that is not full is filled up by repetition.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.base import DatasetFacts, Workspace
from engines.sections.data import Dataset
from engines.spec import JobSpec

FALLBACK_STEPS_PER_EPOCH = 100
"""What an epoch is taken for when nobody looked at the pictures."""

_DIVISORS: Mapping[str, int] = {
    "flux": 32, "flex1": 32, "chroma": 32, "zeta_chroma": 32, "anima": 32, "ernie_image": 32,
    "nucleus_image": 32, "hidream_o1": 32, "wan22_5b": 32, "ltx2": 32, "ltx2.3": 32, "ltx2.5": 32,
    "minimax_h3": 32, "minimax_h3_ref2va": 32, "qwen_image": 32, "qwen_image_edit": 32,
    "qwen_image_edit_plus": 32,
}  # fmt: skip
"""Edges of buckets are multiples of this, in pixels, by arch; 16 for the others."""

_EXACT_STEPS = 1_000_000


@dataclass(frozen=True)
class Length:
    """Optimizer steps of the whole job, of one epoch, and whole epochs; None where unknown.

    ``counted`` is false when an epoch's length is a guess.
    """

    steps: int
    steps_per_epoch: int | None
    epochs: int | None
    counted: bool


def bucket(width: int, height: int, resolution: int, divisor: int) -> tuple[int, int]:
    """The size in pixels that a picture is trained at (toolkit/buckets.py)."""
    pixels = width * height
    most = resolution * resolution
    wanted = min(pixels, most)
    scale = math.sqrt(wanted / pixels)
    across, down = width * scale / divisor, height * scale / divisor
    fitting = [
        (w * divisor, h * divisor)
        for w in (math.floor(across), math.ceil(across))
        for h in (math.floor(down), math.ceil(down))
        if w > 0 and h > 0 and w * h * divisor * divisor <= most
    ]
    if not fitting:
        return max(1, math.floor(across)) * divisor, max(1, math.floor(down)) * divisor
    return min(fitting, key=lambda size: abs(size[0] * size[1] - wanted))


def divisor_of(arch: str) -> int:
    """Edges of buckets are multiples of this, in pixels."""
    return _DIVISORS.get(arch, 16)


def batches(
    spec: JobSpec, facts: Sequence[DatasetFacts], arch: str, *, regularisation: bool = False
) -> int:
    """Batches in one pass over the training pictures (or over the regularisation ones)."""
    chosen = [
        (dataset, fact)
        for dataset, fact in zip(spec.datasets, facts, strict=True)
        if dataset.regularisation == regularisation
    ]
    if not spec.buckets.enabled:
        pictures = sum(
            fact.images * _uses(dataset) * len(dataset.resolution) for dataset, fact in chosen
        )
        return math.ceil(pictures / spec.batch.size)
    divisor = divisor_of(arch)
    return sum(
        math.ceil(count / spec.batch.size)
        for dataset, fact in chosen
        for resolution in dataset.resolution
        for count in _buckets(dataset, fact, resolution, divisor).values()
    )


def _uses(dataset: Dataset) -> int:
    return dataset.repeats * (2 if dataset.flip else 1)


def _buckets(
    dataset: Dataset, fact: DatasetFacts, resolution: int, divisor: int
) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for width, height, count in fact.sizes:
        found[bucket(width, height, resolution, divisor)] += count * _uses(dataset)
    return found


def measure(spec: JobSpec, workspace: Workspace, arch: str) -> Length | None:
    """How long the job is. None: epochs were asked for, but no picture was found."""
    known = None
    if workspace.datasets is not None:
        known = batches(spec, workspace.datasets, arch) or None
    each = known / spec.batch.gradient_accumulation if known else None
    if spec.length.steps is not None:
        steps = spec.length.steps
        epochs = math.ceil(_training_steps(spec, steps) / each) if each else None
        return Length(steps, math.ceil(each) if each else None, epochs, True)
    wanted = spec.length.epochs or 1
    if each is None:
        if workspace.datasets is not None:
            return None
        return Length(wanted * FALLBACK_STEPS_PER_EPOCH, None, wanted, False)
    steps = _with_regularisation(spec, math.ceil(wanted * each))
    return Length(steps, math.ceil(each), wanted, True)


def _takes_regularisation(spec: JobSpec, step: int) -> bool:
    """Whether a step trains on a regularisation batch: even ones that neither save nor draw."""
    saves = step % spec.saving.every_steps == 0
    draws = bool(spec.sampling.prompts) and step % spec.sampling.every_steps == 0
    return step % 2 == 0 and not saves and not draws


def _has_regularisation(spec: JobSpec) -> bool:
    return any(dataset.regularisation for dataset in spec.datasets)


def _training_steps(spec: JobSpec, steps: int) -> int:
    """How many of the first ``steps`` train on the pictures themselves."""
    if not _has_regularisation(spec):
        return steps
    if steps > _EXACT_STEPS:
        return steps // 2
    return sum(not _takes_regularisation(spec, step) for step in range(steps))


def _with_regularisation(spec: JobSpec, wanted: int) -> int:
    """Steps in all, so that ``wanted`` of them train on the pictures themselves."""
    if not _has_regularisation(spec):
        return wanted
    if wanted > _EXACT_STEPS:
        return 2 * wanted
    step = done = 0
    while done < wanted:
        done += not _takes_regularisation(spec, step)
        step += 1
    return step
