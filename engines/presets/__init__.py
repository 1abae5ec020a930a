"""Fills what a document leaves open: defaults by family and by the GPU that is there."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from engines import families


def _set_default(document: dict[str, Any], path: str, value: Any) -> None:
    head, _, rest = path.partition(".")
    if head.endswith("[]"):
        for item in document.get(head[:-2]) or []:
            if isinstance(item, dict):
                _set_default(item, rest, value)
    elif not rest:
        document.setdefault(head, copy.deepcopy(value))
    else:
        inner = document.setdefault(head, {})
        if isinstance(inner, dict):
            _set_default(inner, rest, value)


def complete(document: Mapping[str, Any], *, gpu: bool) -> dict[str, Any]:
    """A copy of ``document`` with family and hardware defaults where it says nothing.

    Without a GPU neither 8-bit optimizers nor quantised models run, so neither is the default there.
    """
    filled = copy.deepcopy(dict(document))
    family = families.get(str(filled.get("family", "")))
    if not gpu:
        _set_default(filled, "optimizer.name", "adamw")
        _set_default(filled, "memory.quantize", "none")
    for path, value in (family.defaults if family else {}).items():
        _set_default(filled, path, value)
    return filled
