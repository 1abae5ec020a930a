"""What the header of a LoRA file tells: rank, alpha, precision, kind, and its keys by block."""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from app.artifacts.safetensors import Header, read_header

SHOWN = 170
"""Characters of one entry of the metadata in a list, whose page cuts it at 160 and says so; the tags of a
dataset can be hundreds of thousands."""
_PARTS = (
    ".lora_down.weight", ".lora_up.weight", ".lora_A.default.weight", ".lora_B.default.weight", ".lora_A.weight",
    ".lora_B.weight", ".lora_mid.weight", ".alpha", ".dora_scale", ".diff_b", ".diff",
)  # fmt: skip
_ODD = re.compile(r"\.(?:hada_\w+|lokr_\w+|oft_\w+|boft_\w+|on_input|scalar)$")
_BLOCK = re.compile(
    r"^(?P<before>.*?)(?P<kind>[a-z_]*(?:blocks?|layers?|resnets|transformer))[._](?P<number>\d+)(?=[._]|$)"
)
_PREFIX = re.compile(r"^(?:lora_|lycoris_)?(?:base_model\.model\.)?")
_NAMES = {
    "F16": "fp16",
    "BF16": "bf16",
    "F32": "fp32",
    "F64": "fp64",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
}
_SCALARS = {"F16": "<e", "F32": "<f", "F64": "<d"}


@dataclass(frozen=True)
class Block:
    """One block of the model with how many modules, keys and numbers of it the file holds."""

    name: str
    modules: int
    keys: tuple[str, ...]
    numbers: int


@dataclass(frozen=True)
class LoraFacts:
    """``alpha`` is that of most modules, None where the file holds none; ``precision`` as people say it."""

    rank: int | None
    alpha: float | None
    precision: str
    kind: str
    modules: int
    numbers: int


def module_of(key: str) -> str:
    """The module that a tensor belongs to: its name without the part that tells up from down."""
    part = next((part for part in _PARTS if key.endswith(part)), None)
    return key.removesuffix(part) if part else _ODD.sub("", key)


def block_of(key: str) -> str:
    """The block of the model that a key belongs to, such as "unet down_blocks 0"; "other" without one."""
    module = _PREFIX.sub("", module_of(key))
    found = _BLOCK.match(module)
    if found is None:
        return "other"
    before = found["before"].strip("._").replace("_", " ").replace(".", " ")
    if before in ("diffusion model", "transformer", "model diffusion model", "model"):
        before = ""
    kind = found["kind"].strip("_")
    if not before and kind.startswith(("unet_", "te_", "te1_", "te2_")):
        before, _, kind = kind.partition("_")
    return f"{before} {kind} {found['number']}".strip()


@lru_cache(maxsize=64)
def glance(path: Path, size: int, mtime: float) -> tuple[LoraFacts, Mapping[str, str]]:
    """What a list shows of one file: its facts, and its metadata shortened to ``SHOWN`` characters each.

    Kept as long as size and time stay, since the header of a LoRA has a thousand entries and more.
    Raises TornSafetensorsError or OSError, and keeps nothing of such a file.
    """
    header = read_header(path)
    told = {key: text[:SHOWN] for key, text in header.metadata.items()}
    return facts(path, header), MappingProxyType(told)


def facts(path: Path, header: Header) -> LoraFacts:
    """Read at most one small tensor beside the header."""
    dtypes = Counter[str]()
    numbers = 0
    for name, (dtype, shape, _) in header.tensors.items():
        if not name.endswith(".alpha"):
            dtypes[dtype] += math.prod(shape)
            numbers += math.prod(shape)
    common = dtypes.most_common(1)[0][0] if dtypes else ""
    return LoraFacts(
        header.rank,
        _alpha(path, header),
        _NAMES.get(common, common.lower()) + (" and others" if len(dtypes) > 1 else ""),
        _kind(header.tensors),
        len({module_of(name) for name in header.tensors}),
        numbers,
    )


def _kind(names: Mapping[str, object]) -> str:
    for word, kind in (
        ("lokr_", "LoKr"),
        ("hada_", "LoHa"),
        ("dora_scale", "DoRA"),
        ("lora_", "LoRA"),
    ):
        if any(word in name.removeprefix("lora_") for name in names):
            return kind
    return "weights"


def _alpha(path: Path, header: Header) -> float | None:
    told = header.metadata.get("ss_network_alpha") or header.metadata.get("lora_alpha")
    with contextlib.suppress(ValueError):  # no number: the tensors tell
        if told and told.lower() != "none":
            return float(told)
    for name, (dtype, shape, (start, end)) in header.tensors.items():
        if name.endswith(".alpha") and math.prod(shape) == 1:
            with path.open("rb") as file:
                file.seek(header.data_start + start)
                return _scalar(dtype, file.read(end - start))
    return None


def _scalar(dtype: str, raw: bytes) -> float | None:
    if dtype == "BF16":
        return float(struct.unpack("<f", b"\0\0" + raw)[0])
    return float(struct.unpack(_SCALARS[dtype], raw)[0]) if dtype in _SCALARS else None


def blocks(header: Header) -> tuple[Block, ...]:
    """Keys by block, in the order of names with numbers counted as numbers."""
    keys: dict[str, list[str]] = {}
    for name in header.tensors:
        keys.setdefault(block_of(name), []).append(name)
    return tuple(
        Block(
            name,
            len({module_of(key) for key in keys[name]}),
            tuple(sorted(keys[name])),
            sum(math.prod(header.tensors[key][1]) for key in keys[name]),
        )
        for name in sorted(keys, key=in_order)
    )


def in_order(name: str) -> list[tuple[int, int, str]]:
    """A sort key: block 10 comes after block 9."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name)]
