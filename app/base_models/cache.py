"""What lies in the Hugging Face cache, told by its folders alone."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".gguf", ".sft")
WANTED = ".vast-lora-wanted.json"
"""In a repository's folder while it is downloaded: the files that make it whole."""
_MOST_FILES = 2000
_OPTIONAL = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that a training does without."""


def cache_folder(home: Path | None, override: str | None) -> Path:
    """The cache: HF_HUB_CACHE where it is set, else ``hub`` in HF_HOME."""
    if override:
        return Path(os.path.expanduser(override))
    return (home or Path(os.path.expanduser("~/.cache/huggingface"))) / "hub"


def is_cached(cache: Path, repo: str, file: str = "") -> bool:
    """Whether a whole snapshot of a repository, or the ``file`` of it, lies in the cache.

    A snapshot is a folder of links to blobs. One of diffusers is whole when every component
    that its index lists is there, any other when it holds weights. Never raises.
    """
    folder = cache / f"models--{repo.replace('/', '--')}"
    try:
        if file:
            return any((s / file).is_file() for s in (folder / "snapshots").iterdir())
        if any((folder / "blobs").glob("*.incomplete")) or not _has_wanted(folder):
            return False
        return any(_is_whole(snapshot) for snapshot in (folder / "snapshots").iterdir())
    except (OSError, ValueError):
        return False


def _has_wanted(folder: Path) -> bool:
    """Whether all files are there that a download of ours set out to bring, if one was begun."""
    try:
        files = read_json(folder / WANTED)
    except FileNotFoundError:
        return True
    names = [str(name) for name in files] if isinstance(files, list) else []
    return any(
        all((s / name).is_file() for name in names) for s in (folder / "snapshots").iterdir()
    )


def _is_whole(snapshot: Path) -> bool:
    index = snapshot / "model_index.json"
    if index.is_file():
        return not missing_components(snapshot)
    files = islice(snapshot.rglob("*"), _MOST_FILES)
    # A link whose blob was deleted is no file.
    return any(path.suffix in WEIGHTS and path.is_file() for path in files)


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises OSError or ValueError, also for one that is nested without end."""
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deep") from error


def missing_components(folder: Path) -> list[str]:
    """Components that a diffusers index lists and that have no folder, or an empty one.

    Raises OSError or ValueError if the index cannot be read.
    """
    data = read_json(folder / "model_index.json")
    if not isinstance(data, dict):
        raise ValueError("model_index.json holds no object")
    listed = [
        name
        for name, value in data.items()
        if not name.startswith("_")
        and name not in _OPTIONAL
        and isinstance(value, list)
        and value
        and value[0]
    ]
    return [
        name
        for name in listed
        if not (folder / name).is_dir() or not any((folder / name).iterdir())
    ]
