"""Reads the header of a safetensors file: 8 bytes of length, JSON, then the numbers.

Source of the format: the safetensors project's own description.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_HEADER = 100_000_000
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "U16": 16, "I16": 16,
    "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip
"""Bits of a number, by dtype. Other dtypes are newer than this; their size is not checked."""
_RANK_FIRST = (
    "lora_down.weight", "lora_A.weight", "lora_A.default.weight", "hada_w1_b", "lokr_w2_b", "lokr_w1_b",
)  # fmt: skip
"""Tensors whose first dimension is the rank."""


class TornSafetensorsError(ValueError):
    """The file is not a whole safetensors file. The sentence says how far it got."""


@dataclass(frozen=True)
class Header:
    """``tensors`` maps a name to (dtype, shape, (start, end)), offsets from ``data_start``."""

    tensors: Mapping[str, tuple[str, tuple[int, ...], tuple[int, int]]]
    metadata: Mapping[str, str]
    data_start: int

    @property
    def rank(self) -> int | None:
        """The LoRA rank most of its tensors show, or None where it has no LoRA tensors."""
        ranks: dict[int, int] = {}
        for name, (_, shape, _) in self.tensors.items():
            if len(shape) >= 2 and name.endswith(_RANK_FIRST):
                ranks[shape[0]] = ranks.get(shape[0], 0) + 1
        return max(ranks, key=lambda rank: ranks[rank]) if ranks else None


def read_header(path: Path) -> Header:
    """The header, checked against the file's size. Raises TornSafetensorsError or OSError."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(8)
        if len(start) < 8:
            raise TornSafetensorsError(
                f"{path.name} holds {size} bytes only; it was torn while written."
            )
        (length,) = struct.unpack("<Q", start)
        if length > min(LARGEST_HEADER, size - 8):
            raise TornSafetensorsError(
                f"{path.name} is no whole safetensors file: its header does not fit."
            )
        text = file.read(length)
    try:
        data = json.loads(text)
        tensors = _tensors(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TornSafetensorsError(
            f"{path.name} has a header that cannot be read: {error}."
        ) from error
    end = _laid_out(path, tensors)
    if 8 + length + end != size:
        raise TornSafetensorsError(
            f"{path.name} should hold {8 + length + end} bytes and holds {size}; it was torn while written."
        )
    metadata = {str(key): str(value) for key, value in dict(data.get("__metadata__") or {}).items()}
    return Header(tensors, metadata, 8 + length)


def _laid_out(
    path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], tuple[int, int]]]
) -> int:
    """Where the last number ends. Tensors lie one after another, each as long as its shape says.

    The safetensors library refuses anything else, so a file that breaks the rule does not load.
    """
    at = 0
    for name, (dtype, shape, (start, end)) in sorted(tensors.items(), key=lambda t: t[1][2]):
        bits = _BITS.get(dtype)
        if start != at or end < start or (bits and math.prod(shape) * bits != (end - start) * 8):
            raise TornSafetensorsError(
                f"{path.name} has a header that does not fit its numbers (at {name}); it will not load."
            )
        at = end
    return at


def _tensors(data: Any) -> dict[str, tuple[str, tuple[int, ...], tuple[int, int]]]:
    found = {}
    for name, entry in data.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            shape = tuple(int(size) for size in entry["shape"])
            found[name] = (str(entry["dtype"]), shape, (int(start), int(end)))
    return found
