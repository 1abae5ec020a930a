"""What a base model's text means, and checks of one that lies on this disk."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from app.artifacts.safetensors import TornSafetensorsError, read_header
from app.base_models.cache import missing_components
from app.base_models.recognising import misfit, recognise

FILE_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft")
_MOST_FILES = 200
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:/[\w./-]+)?$")


@dataclass(frozen=True)
class Local:
    """A file or folder on this machine; it need not exist."""

    path: Path


@dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face Hub, and a file in it where one is named."""

    repo: str
    file: str = ""


def resolve(text: str, data_dir: Path) -> Local | Hub:
    """Where the text points, by its form alone: no file is looked at.

    ``/...``, ``~``, ``./`` and ``../`` are paths; ``owner/name`` is a hub id, with a file of it
    after a further slash; any other name is an entry of the model library, DATA_DIR/models.
    """
    if text.startswith(("/", "~", "./", "../")):
        return Local(Path(os.path.expanduser(text)).absolute())
    parts = text.split("/")
    if _HUB_ID.match(text) and (len(parts) > 2 or not text.endswith(FILE_ENDINGS)):
        return Hub("/".join(parts[:2]), "/".join(parts[2:]))
    return Local((data_dir / "models" / text).absolute())


def check_local(path: Path, family: str | None = None) -> str:
    """A sentence about why it cannot be a base model; empty when it can.

    ``family`` is None for a component, which may be a folder of any form.
    """
    try:
        if not path.exists():
            return f"There is no {path}. Give a hub id (owner/name), or the path of a model on this machine."
        if path.is_dir():
            return _check_folder(path, family)
        return _check_file(path, family)
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."


def _check_file(path: Path, family: str | None) -> str:
    if path.stat().st_size == 0:
        return f"{path} is empty (0 bytes). Download it again."
    found = recognise(path)
    if found.kind == "broken":
        return f"{found.problem} Download it again."
    if found.kind == "lora" or family is not None:
        problem = misfit(found, family or "", path.name)
        if problem:
            return problem
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\3\4" and not zipfile.is_zipfile(path):
        # What torch.save writes is a zip, whose directory comes last.
        return f"{path.name} is incomplete; it was torn while written. Download it again."
    return ""


def _check_folder(path: Path, family: str | None) -> str:
    if not any(path.iterdir()):
        return f"{path} is an empty folder. Download the model again."
    index = path / "model_index.json"
    if family in ("sd15", "sd2", "sdxl") and not index.is_file():
        return f"{path} has no model_index.json, so it is no diffusers model. Name a model folder or a single file."
    if not index.is_file():
        return _torn_inside([path])
    try:
        missing = missing_components(path)
    except (OSError, ValueError):
        return f"{index} cannot be read. Download the model again."
    if missing:
        return f"{path} lacks {', '.join(missing[:3])}, which its model_index.json lists. Download it again."
    torn = _torn_inside([entry for entry in path.iterdir() if entry.is_dir()])
    return torn or (misfit(recognise(path), family, path.name) if family else "")


def _torn_inside(folders: list[Path]) -> str:
    """The first file that was torn while it was downloaded. Only headers are read."""
    for folder in folders:
        for file in islice(sorted(folder.glob("*.safetensors")), _MOST_FILES):
            try:
                read_header(file)
            except TornSafetensorsError as error:
                return f"{folder.name}/{error} Download the model again."
    return ""
