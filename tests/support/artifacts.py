"""Builds what engines write: safetensors files, accelerate states, zips as torch.save makes them."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES = {
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "BF16": np.uint16,
    "U8": np.uint8,
}


def safetensors(
    path: Path,
    tensors: Mapping[str, tuple[str, Any]],
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write ``tensors``, a name to (dtype, numbers). Numbers of BF16 are its bits as integers."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    data = b""
    for name, (dtype, numbers) in tensors.items():
        array = np.asarray(numbers, dtype=_DTYPES[dtype])
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def lora(path: Path, *, rank: int = 4, spoil: float | None = None, metadata: Any = None) -> Path:
    """A LoRA of ``rank`` in float16; ``spoil`` stands in one of its numbers."""
    up = np.ones((8, rank), dtype=np.float16)
    if spoil is not None:
        up[-1, -1] = spoil
    stem = "lora_unet_down_blocks_0"
    tensors = {
        f"{stem}.alpha": ("F16", np.float16(rank)),
        f"{stem}.lora_down.weight": ("F16", np.ones((rank, 8))),
        f"{stem}.lora_up.weight": ("F16", up),
    }
    return safetensors(path, tensors, metadata)


def torch_zip(path: Path) -> Path:
    """A file in the form of torch.save."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}." * 50)
        archive.writestr("archive/data/0", bytes(400))
    return path


def kohya_state(folder: Path) -> Path:
    """A whole state folder of sd-scripts."""
    lora(folder / "model.safetensors")
    for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl"):
        torch_zip(folder / name)
    (folder / "train_state.json").write_text('{"current_epoch": 1, "current_step": 8}')
    return folder


def tear(path: Path, share: float = 0.6) -> Path:
    """Cut a file as a kill in mid-write does."""
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    return path
