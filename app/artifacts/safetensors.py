"""Reads the header of a safetensors file: 8 bytes of length, JSON, then the numbers.

Source of the format: the safetensors project's own description.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_HEADER = 100_000_000
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
    except (ValueError, KeyError, TypeError) as error:
        raise TornSafetensorsError(
            f"{path.name} has a header that cannot be read: {error}."
        ) from error
    end = max((offsets[1] for _, _, offsets in tensors.values()), default=0)
    if 8 + length + end != size:
        raise TornSafetensorsError(
            f"{path.name} should hold {8 + length + end} bytes and holds {size}; it was torn while written."
        )
    metadata = {str(key): str(value) for key, value in (data.get("__metadata__") or {}).items()}
    return Header(tensors, metadata, 8 + length)


def _tensors(data: Any) -> dict[str, tuple[str, tuple[int, ...], tuple[int, int]]]:
    found = {}
    for name, entry in data.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            found[name] = (str(entry["dtype"]), tuple(entry["shape"]), (int(start), int(end)))
    return found
