"""A finished LoRA, and what its run directory tells of how it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.jobs.points import Point, read_points
from app.jobs.rundir import RunDir
from engines.kohya_ss import events

_FROM_ZERO = ("lora_up.weight", "hada_w2_a", "lokr_w2_b", "lokr_w2")
"""Which tensor of a module is zero before the first step, by kind of adapter."""
_CLIP_L = re.compile(r"lora_te1_text_model_encoder_layers_(\d+)_")


class Trained:
    """The last LoRA of a job, its metadata, and the records beside it."""

    def __init__(self, data: Path, job: dict[str, Any]) -> None:
        self.job = job
        self.root = data / "jobs" / str(job["id"])
        self.path = next((self.root / "output").rglob(f"{job['name']}.safetensors"))
        self.told, self.tensors = _read(self.path)

    def json(self, key: str) -> Any:
        """A metadata value that holds JSON."""
        return json.loads(self.told[key])

    def modules(self) -> dict[str, dict[str, np.ndarray]]:
        """Tensors by module: ``{"lora_unet_...": {"alpha": ..., "lora_down.weight": ...}}``."""
        found: dict[str, dict[str, np.ndarray]] = {}
        for key, tensor in self.tensors.items():
            module, _, name = key.partition(".")
            found.setdefault(module, {})[name] = tensor
        return found

    def text_encoders(self) -> set[str]:
        """Beginnings of the names of text encoder modules: lora_te, or lora_te1 and lora_te2."""
        return {m[0] for name in self.modules() if (m := re.match(r"lora_te\d?", name))}

    def sizes(self) -> set[tuple[int, float]]:
        """(rank, alpha) of all modules; without those that an adapter holds in full."""
        found = set()
        for tensors in self.modules().values():
            rank = _rank(tensors)
            if rank is not None:
                found.add((rank, float(tensors["alpha"])))
        return found

    def convolutions(self) -> set[int]:
        """Ranks of the 3x3 convolutions of a LoRA or LoCon; empty when none is trained."""
        downs = [t["lora_down.weight"] for t in self.modules().values() if "lora_down.weight" in t]
        return {down.shape[0] for down in downs if down.shape[2:] == (3, 3)}

    def untrained(self) -> list[str]:
        """Modules that are as they were before the first step, but for those that take no part.

        SDXL reads the last but one layer of CLIP-L, so its last one learns nothing.
        """
        layers = [m[1] for name in self.modules() if (m := _CLIP_L.match(name))]
        idle = f"lora_te1_text_model_encoder_layers_{max(layers, key=int)}_" if layers else "none"
        return [
            name
            for name, tensors in self.modules().items()
            if not any(tensors[key].any() for key in _FROM_ZERO if key in tensors)
            and not name.startswith(idle)
        ]

    def moved(self) -> float:
        """Mean size of the weights that began at zero, over all modules."""
        began = [t for key, t in self.tensors.items() if key.partition(".")[2] in _FROM_ZERO]
        return float(np.mean([np.abs(tensor.astype("float64")).mean() for tensor in began]))

    def finite(self) -> bool:
        return all(np.isfinite(t.astype("float64")).all() for t in self.tensors.values())

    def points(self) -> list[Point]:
        """Loss and learning rate by step, as the pages show them."""
        return list(read_points(RunDir(self.root).metrics))

    def scalars(self, tag: str) -> list[float]:
        """A TensorBoard curve of sd-scripts."""
        files = sorted((self.root / "logs").rglob("events.out.tfevents.*"))
        readings = [r for file in files for r in events.read_events(file.read_bytes())[0]]
        return [reading.value for reading in readings if reading.tag == tag]

    def log(self) -> str:
        return (self.root / "attempts/1/log.txt").read_text("utf-8", "replace")

    def buckets(self) -> dict[tuple[int, int], int]:
        """Pictures by the size they were trained at, repeats counted, as the engine grouped them."""
        found: dict[tuple[int, int], int] = {}
        for size, count in self._buckets():
            found[size] = found.get(size, 0) + count
        return found

    def _buckets(self) -> Iterator[tuple[tuple[int, int], int]]:
        if "ss_datasets" in self.told:
            for block in self.json("ss_datasets"):
                for bucket in (block["bucket_info"] or {"buckets": {}})["buckets"].values():
                    yield (bucket["resolution"][0], bucket["resolution"][1]), bucket["count"]
            return
        for width, height, count in re.findall(
            r"^(\d+)x(\d+): (\d+) files", self.log(), re.MULTILINE
        ):
            yield (int(width), int(height)), int(count)


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and tensors; bfloat16, which numpy has not, as float32."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    told = header.pop("__metadata__")
    tensors = {}
    for key, entry in header.items():
        first, end = (begin + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            flat = (np.frombuffer(data[first:end], "<u2").astype("<u4") << 16).view("<f4")
        else:
            flat = np.frombuffer(data[first:end], {"F16": "<f2", "F32": "<f4"}[entry["dtype"]])
        tensors[key] = flat.reshape(entry["shape"])
    return told, tensors


def _rank(tensors: dict[str, np.ndarray]) -> int | None:
    for name, axis in (("lora_down.weight", 0), ("hada_w1_b", 0), ("lokr_w2_a", 1)):
        if name in tensors:
            return int(tensors[name].shape[axis])
    return None
