"""How much memory a GPU has, by the name that a cluster gives its type; nothing where nobody knows.

In this order: SLURM_GPU_MEMORY, a size in the name itself (``a100_80gb``, ``v100-32g``), the sizes
that NVIDIA's data sheets give for the model. A model sold in several sizes counts as its smallest,
and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SIZES: dict[str, tuple[int, ...]] = {
    "a100": (40, 80), "a10": (24,), "a10g": (24,), "a16": (16,), "a2": (16,), "a30": (24,),
    "a40": (48,), "b200": (180,), "b300": (288,), "gh200": (96, 144), "gtx1080ti": (11,),
    "gtx1080": (8,), "h100": (80, 94), "h20": (96, 141), "h200": (141,), "h800": (80,),
    "k80": (12,), "l4": (24,), "l40": (48,), "l40s": (48,), "m40": (12, 24), "p100": (12, 16),
    "p40": (24,), "rtx2080": (8,), "rtx2080ti": (11,), "rtx3060": (8, 12), "rtx3060ti": (8,),
    "rtx3070": (8,), "rtx3080": (10, 12), "rtx3080ti": (12,), "rtx3090": (24,),
    "rtx3090ti": (24,), "rtx4060": (8,), "rtx4060ti": (8, 16), "rtx4070": (12,),
    "rtx4070super": (12,), "rtx4070ti": (12,), "rtx4070tisuper": (16,), "rtx4080": (16,),
    "rtx4080super": (16,), "rtx4090": (24,), "rtx5060ti": (8, 16), "rtx5070": (12,),
    "rtx5070ti": (16,), "rtx5080": (16,), "rtx5090": (32,), "rtx5000ada": (32,),
    "rtx6000": (24,), "rtx6000ada": (48,), "rtx8000": (48,), "rtxa4000": (16,),
    "rtxa4500": (20,), "rtxa5000": (24,), "rtxa5500": (24,), "rtxa6000": (48,), "a4000": (16,),
    "a5000": (24,), "a6000": (48,), "rtxpro6000": (96,), "t4": (16,), "titanrtx": (24,),
    "titanv": (12,), "titanxp": (12,), "v100": (16, 32), "v100s": (32,),
}  # fmt: skip
"""GB of the models that clusters have, by NVIDIA's data sheets; without the maker and the form."""

_LEFT_OUT = re.compile(
    r"nvidia|geforce|tesla|quadro|graphics|generation|blackwell|workstation|server|maxq|edition|"
    r"sxm\d?|pcie|nvl|hbm\d\w?"
)
_SIZE = re.compile(r"(?<![0-9.a-z])(\d{1,3})gi?b?(?![a-z0-9.])")
_SLICE = re.compile(r"\d+g\.(\d+)gb")


@dataclass(frozen=True)
class Memory:
    """GB of one GPU, and where it is from; a whole sentence where it is not ``sure``: it may be more."""

    gb: float
    source: str
    sure: bool = True


def memory_of(kind: str, told: Mapping[str, float]) -> Memory | None:
    """Of a GPU of this type; ``told`` is SLURM_GPU_MEMORY."""
    name = kind.lower()
    if name in told:
        return Memory(told[name], "SLURM_GPU_MEMORY")
    if part := _SLICE.search(name):
        return Memory(float(part.group(1)), "the name of its type")
    words = re.sub(r"[_\s-]+", " ", name)
    if sized := _SIZE.search(words):
        return Memory(float(sized.group(1)), "the name of its type")
    model = _model(words)
    sizes = SIZES.get(model)
    if sizes is None:
        return None
    if len(sizes) == 1:
        return Memory(sizes[0], "NVIDIA's data sheet")
    every = " and ".join(f"{size} GB" for size in sizes)
    return Memory(
        sizes[0], f"{kind} is sold with {every}; SLURM_GPU_MEMORY says which one it is", False
    )


def _model(words: str) -> str:
    """nvidia rtx 6000 ada generation → rtx6000ada; geforce gtx 1080 ti → gtx1080ti; 4090 → rtx4090."""
    kept = [word for word in words.split() if not _LEFT_OUT.fullmatch(word)]
    name = "".join(kept)
    if name.isdigit() or re.fullmatch(r"[2-5]0[5-9]0(ti|super|tisuper)", name):
        return f"rtx{name}"
    return name


@dataclass(frozen=True)
class Smallest:
    """The smallest GPU that a job can get: ``memory`` None and the ``unknown`` types where one is not known."""

    memory: Memory | None
    type: str = ""
    unknown: tuple[str, ...] = ()


def smallest(kinds: Iterable[str], told: Mapping[str, float]) -> Smallest:
    """Among these types. With one that nobody knows there is no smallest: it may be that one."""
    found = {kind: memory_of(kind, told) for kind in kinds}
    unknown = tuple(sorted(kind or "without a type" for kind, one in found.items() if one is None))
    if unknown or not found:
        return Smallest(None, unknown=unknown)
    kind, memory = min(found.items(), key=lambda pair: pair[1].gb if pair[1] else 0)
    return Smallest(memory, kind)


def parse(text: str) -> dict[str, float]:
    """From ``a100:80,rtx4090:24``. Raises ValueError with a sentence."""
    told: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, size = part.rpartition(":")
        if not kind or not re.fullmatch(r"\d{1,4}(\.\d+)?", size) or not float(size):
            raise ValueError(f"{part!r} is no type and GB; write it as a100:80,rtx4090:24.")
        told[kind.strip().lower()] = float(size)
    return told
