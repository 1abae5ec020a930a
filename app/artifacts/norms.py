"""How large the change is that a LoRA makes to each module, and how two checkpoints differ.

The norm of a module is the Frobenius norm of up times down, scaled by alpha / rank; it is had from
small matrices of rank by rank, so the product is never formed. ``run`` works in a task's child:
numpy is loaded there and never in the server.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.artifacts.lora_facts import block_of, in_order, module_of
from app.artifacts.safetensors import Header, TornSafetensorsError, read_header
from app.errors import UserError
from app.tasks import Work

_DOWN = (".lora_down.weight", ".lora_A.weight", ".lora_A.default.weight")
_UP = (".lora_up.weight", ".lora_B.weight", ".lora_B.default.weight")
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


@dataclass(frozen=True)
class Change:
    """Norms in the first and second file, and of the difference between them."""

    name: str
    first: float
    second: float
    moved: float

    @property
    def ratio(self) -> float | None:
        """How far it moved, as a share of the first; None where that is nothing."""
        return self.moved / self.first if self.first else None


def cache_file(cache: Path, first: Path, second: Path) -> Path:
    """Where the comparison of two files is kept; other content has another name."""
    told = "".join(f"{p}\0{p.stat().st_size}\0{p.stat().st_mtime_ns}\0" for p in (first, second))
    return cache / "norms" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"


def cached(cache: Path, first: Path, second: Path) -> list[Change] | None:
    """The comparison by module, if it was made."""
    try:
        rows = json.loads(cache_file(cache, first, second).read_bytes())
    except (OSError, ValueError):
        return None
    return [Change(name, *numbers) for name, *numbers in rows]


def by_block(changes: list[Change]) -> list[Change]:
    """Modules of a block taken together, as one long vector."""
    sums: dict[str, list[float]] = {}
    for change in changes:
        row = sums.setdefault(block_of(change.name), [0.0, 0.0, 0.0])
        for place, value in enumerate((change.first, change.second, change.moved)):
            row[place] += value * value
    return [
        Change(name, *(math.sqrt(value) for value in sums[name]))
        for name in sorted(sums, key=in_order)
    ]


def total(changes: list[Change], name: str = "All") -> Change:
    """Everything as one vector."""
    return Change(
        name,
        *(
            math.sqrt(sum(getattr(c, k) ** 2 for c in changes))
            for k in ("first", "second", "moved")
        ),
    )


def run(work: Work) -> dict[str, Any]:
    """Compare the files ``first`` and ``second`` and keep what was found."""
    first, second = Path(work.arguments["first"]), Path(work.arguments["second"])
    target = cache_file(work.settings.cache_dir, first, second)
    rows = []
    try:
        pair = _Tensors(first), _Tensors(second)
        names = sorted({*pair[0].modules, *pair[1].modules}, key=in_order)
        for done, name in enumerate(names):
            rows.append((name, *_compare(pair[0], pair[1], name)))
            work.progress(done + 1, len(names), name, unit="modules")
    except (OSError, TornSafetensorsError) as error:
        raise UserError(f"They cannot be compared: {error}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(rows))
    os.replace(partial, target)
    return {"modules": len(rows)}


class _Tensors:
    """One file, read tensor by tensor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: Header = read_header(path)
        self.modules: dict[str, dict[str, str]] = {}
        for key in self._header.tensors:
            name = module_of(key)
            self.modules.setdefault(name, {})[key.removeprefix(name)] = key

    def factors(self, name: str) -> list[tuple[Any, Any]]:
        """The module as pairs (up, down) whose products are summed; a plain tensor is (itself, None)."""
        parts = self.modules.get(name, {})
        up = next((parts[p] for p in _UP if p in parts), None)
        down = next((parts[p] for p in _DOWN if p in parts), None)
        if up is None or down is None or ".lora_mid.weight" in parts:
            plain = [self.read(key) for part, key in sorted(parts.items()) if part != ".alpha"]
            return [(tensor.reshape(-1), None) for tensor in plain if tensor is not None]
        ups, downs = self.read(up), self.read(down)
        if ups is None or downs is None:
            return []
        rank = downs.shape[0]
        alpha = self.read(parts[".alpha"]) if ".alpha" in parts else None
        scale = float(alpha.reshape(-1)[0]) / rank if alpha is not None else 1.0
        return [(ups.reshape(ups.shape[0], -1) * scale, downs.reshape(rank, -1))]

    def read(self, key: str) -> Any:
        """A tensor as float64; None for a precision that numpy does not know."""
        import numpy as np

        dtype, shape, (start, end) = self._header.tensors[key]
        with self._path.open("rb") as file:
            file.seek(self._header.data_start + start)
            raw = file.read(end - start)
        if dtype == "BF16":
            flat = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        elif dtype in _DTYPES:
            flat = np.frombuffer(raw, _DTYPES[dtype])
        else:
            return None
        return flat.reshape(shape).astype(np.float64)


def _compare(first: _Tensors, second: _Tensors, name: str) -> tuple[float, float, float]:
    a, b = first.factors(name), second.factors(name)
    aa, bb = _dot(a, a), _dot(b, b)
    moved = max(0.0, aa + bb - 2 * _dot(a, b)) if _match(a, b) else aa + bb
    return math.sqrt(max(0.0, aa)), math.sqrt(max(0.0, bb)), math.sqrt(moved)


def _match(a: list[tuple[Any, Any]], b: list[tuple[Any, Any]]) -> bool:
    """Whether both are of the same form, so that a difference means something."""
    if len(a) != len(b):
        return False
    for (up_a, down_a), (up_b, down_b) in zip(a, b, strict=True):
        if (down_a is None) != (down_b is None) or up_a.shape[0] != up_b.shape[0]:
            return False
        if down_a is not None and down_a.shape[1:] != down_b.shape[1:]:
            return False
    return True


def _dot(a: list[tuple[Any, Any]], b: list[tuple[Any, Any]]) -> float:
    """The inner product of two modules: trace((UaᵀUb)(DbDaᵀ)), without forming U times D."""
    if not _match(a, b):
        return 0.0
    found = 0.0
    for (up_a, down_a), (up_b, down_b) in zip(a, b, strict=True):
        if down_a is None:
            found += float(up_a @ up_b)
        else:
            found += float(((up_a.T @ up_b) * (down_a @ down_b.T)).sum())
    return found
