"""Which files of a repository a training needs."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Sequence

_NEVER = (
    "*.msgpack", "*.onnx", "*.onnx_data", "*.h5", "*.ot", "*.tflite", "*.pb", "*.xml", "*.gguf", "openvino_*",
    "*.png", "*.jpg", "*.jpeg", "*.webp", "*.gif", "*.mp4", "*.pdf", "*.md", ".gitattributes", "*.zip",
)  # fmt: skip
"""Other frameworks' weights, pictures and papers."""
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth")
_WITHOUT = ("safety_checker/",)
"""Components that a training does without."""


def choose(files: Sequence[str], *, file: str = "", patterns: Sequence[str] = ()) -> list[str]:
    """The one named, those that fit a pattern, or what a training needs, in the order given.

    Without a wish: of a diffusers repository its components, not the single files beside them; no
    pickle where the same folder has safetensors; no ``fp16`` variant beside the full weights.
    """
    if file:
        return [name for name in files if name == file or name.startswith(f"{file}/")]
    if patterns:
        return [n for n in files if any(fnmatch.fnmatch(n, pattern) for pattern in patterns)]
    diffusers = "model_index.json" in files
    kept = []
    for name in files:
        base = posixpath.basename(name).lower()
        if any(fnmatch.fnmatch(base, pattern) for pattern in _NEVER) or name.startswith(_WITHOUT):
            continue
        if diffusers and "/" not in name and base.endswith(_WEIGHTS):
            continue
        if not _is_double(name, files):
            kept.append(name)
    return kept


def _is_double(name: str, files: Sequence[str]) -> bool:
    folder = posixpath.dirname(name)
    beside = [other for other in files if posixpath.dirname(other) == folder and other != name]
    if name.endswith((".bin", ".ckpt", ".pt", ".pth")):
        return any(other.endswith(".safetensors") for other in beside)
    for variant in (".fp16", ".non_ema", ".bf16"):
        if variant in posixpath.basename(name):
            return name.replace(variant, "") in beside
    return False
