"""Rules of thumb for memory and disk, from published sizes. Estimates, and said to be such.

``lora_parameters`` is exact for SD 1.5 and SDXL, counted layer by layer; everything else is a range.
The constants of ``vram`` were set so that the figures that trainers state for FLUX.1 (30, 18 and
13 GB at 16, 8 and 4 bits, SimpleTuner) and for SDXL (8 to 10 GB, sd-scripts) lie inside the range.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from engines.base import DatasetFacts
from engines.spec import JobSpec

_BITS = {
    "qfloat8": 8, "float8": 8, "uint8": 8, "convrot8": 8, "uint7": 7, "uint6": 6, "uint5": 5,
    "uint4": 4, "convrot4": 4, "nvfp4": 4, "uint3": 3, "uint2": 2,
}  # fmt: skip
_SCALES = 1.06
"""Quantised weights carry their scales with them."""
_OVERHEAD_GB = 1.0
_FLOW_CHANNELS = 16
_BYTES = {"fp16": 2, "bf16": 2, "fp32": 4, "no": 4}
_FULL_RANK = 100_000
"""More adds nothing, and a rank has no bound."""
_PER_RANK = {"sd15": 423_936, "sdxl": 2_659_840}
_PER_RANK_TEXT = {"sd15": 165_888, "sdxl": 903_168}
"""Weights of a LoRA of rank 1 on every linear layer of U-Net and text encoders, counted."""


@dataclass(frozen=True)
class Range:
    """Low and high, in the unit of the function that gives it."""

    low: float
    high: float


@dataclass(frozen=True)
class Size:
    """Parameters in billions of what is trained on and of its text encoders, and the width."""

    model: float
    text: float
    width: int = 0
    experts: int = 1


@cache
def _models() -> Mapping[str, Size]:
    path = Path(__file__).parent / "catalogue" / "sizes.json"
    found = json.loads(path.read_text("utf-8"))["models"]
    return MappingProxyType({key: Size(**value) for key, value in found.items()})


def size_of(family: str) -> Size | None:
    """The published size of a family's model; None where none is known."""
    return _models().get(family)


def _weight_bytes(spec: JobSpec) -> float:
    bits = _BITS.get(spec.memory.quantize)
    return bits / 8 * _SCALES if bits else float(_BYTES[spec.memory.mixed_precision])


def lora_parameters(spec: JobSpec) -> Range | None:
    """How many numbers the LoRA holds; None where the model's size is not known."""
    rank = min(spec.network.rank, _FULL_RANK)
    conv_rank = min(spec.network.conv_rank or 0, _FULL_RANK)
    trains_text = spec.optimizer.text_encoder_learning_rate is not None
    if spec.family in _PER_RANK and spec.network.type in ("lora", "locon", "dora"):
        whole = _PER_RANK[spec.family] + (_PER_RANK_TEXT[spec.family] if trains_text else 0)
        # Convolutions hold about as many weights again as the linear layers.
        return Range(whole * rank, whole * (rank + conv_rank))
    size = size_of(spec.family)
    if size is None or spec.network.type not in ("lora", "locon", "dora"):
        return None
    width = size.width or 1024
    # A square layer of width w holds w x w numbers and a LoRA of rank 1 on it 2 w.
    each = 2 * size.model * 1e9 / width * size.experts
    return Range(0.5 * each * rank, 0.9 * each * rank)


def vram(spec: JobSpec) -> Range | None:
    """GPU memory in GB that a training takes; None where the model's size is not known."""
    size = size_of(spec.family)
    if size is None:
        return None
    each = _weight_bytes(spec)
    weights = size.model * each * (1 - spec.memory.offload)
    if spec.memory.cache_text == "none":
        weights += size.text * each * (1 - spec.memory.offload)
    lora = lora_parameters(spec) or Range(0.02e9, 0.1e9)
    state = 12 if "8bit" not in spec.optimizer.name else 6
    edge = max((max(d.resolution) for d in spec.datasets if d.resolution), default=1024)
    active = 2.0 * size.model**0.3 * spec.batch.size * (edge / 1024) ** 2
    if not spec.memory.gradient_checkpointing:
        active *= 3.5
    fixed = weights + _OVERHEAD_GB
    return Range(
        fixed + 0.6 * active + lora.low * state / 1e9,
        fixed + 2.0 * active + lora.high * state / 1e9,
    )


def largest_batch(spec: JobSpec, gb: float) -> int:
    """The largest smaller batch that fits into ``gb``, the upper end of its range too; 0 for none."""
    for size in range(spec.batch.size - 1, 0, -1):
        fewer = spec.model_copy(update={"batch": spec.batch.model_copy(update={"size": size})})
        need = vram(fewer)
        if need is not None and need.high <= gb:
            return size
    return 0


def ram(spec: JobSpec) -> float | None:
    """Main memory in GB: the model passes through it whole, and what is offloaded stays there."""
    size = size_of(spec.family)
    if size is None:
        return None
    return 4.0 + 2.0 * size.model + size.model * _weight_bytes(spec) * spec.memory.offload


def checkpoint_bytes(spec: JobSpec) -> Range | None:
    """One saved LoRA."""
    lora = lora_parameters(spec)
    each = _BYTES[spec.saving.precision]
    return Range(lora.low * each, lora.high * each) if lora else None


def output_bytes(spec: JobSpec, steps: int, *, states: int) -> Range | None:
    """Everything a run leaves: checkpoints kept, saved states (fp32 weights and moments), samples."""
    one = checkpoint_bytes(spec)
    lora = lora_parameters(spec)
    if one is None or lora is None:
        return None
    kept = min(spec.saving.keep, max(0, (steps - 1) // spec.saving.every_steps)) + 1
    moments = 2 * (1 if "8bit" in spec.optimizer.name else 4)
    rounds = steps // spec.sampling.every_steps + 1 if spec.sampling.prompts else 0
    pictures = rounds * len(spec.sampling.prompts) * spec.sampling.width * spec.sampling.height
    return Range(
        one.low * kept + lora.low * (4 + moments) * states + 0.15 * pictures,
        one.high * kept + lora.high * (4 + moments) * (states + 1) + 1.5 * pictures,
    )


def latent_bytes(spec: JobSpec, facts: tuple[DatasetFacts, ...] | None) -> float:
    """Latents kept on disk: one number for each 8 x 8 pixels and channel, at every resolution."""
    if facts is None or spec.memory.cache_latents != "disk":
        return 0.0
    channels = 4 if spec.family in ("sd15", "sd2", "sdxl") else _FLOW_CHANNELS
    return sum(
        float(fact.images * (edge / 8) ** 2 * channels * 4)
        for dataset, fact in zip(spec.datasets, facts, strict=False)
        for edge in dataset.resolution
    )


def download_gb(family: str) -> float | None:
    """What a base model weighs in 16 bits, its text encoders included; None where not known."""
    size = size_of(family)
    return 2.0 * (size.model * size.experts + size.text) if size else None
