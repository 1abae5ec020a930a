"""Lists what an engine wrote below a run's output folder."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.artifacts.safetensors import TornSafetensorsError, read_header
from engines.base import Engine, OutputFile, SavedState

MOST_ENTRIES = 20_000
_STATE_FILES = (
    "model.safetensors",
    "optimizer.bin",
    "scheduler.bin",
    "random_states_0.pkl",
    "train_state.json",
)


@dataclass(frozen=True)
class Artifact:
    """One file or state folder: what the engine calls it, size in bytes, mtime in epoch seconds."""

    file: OutputFile
    path: Path
    size: int
    mtime: float


@dataclass(frozen=True)
class Outputs:
    """Everything worth showing, LoRA files and samples in order of step."""

    loras: tuple[Artifact, ...] = ()
    states: tuple[Artifact, ...] = ()
    samples: tuple[Artifact, ...] = ()

    @property
    def version(self) -> str:
        """Changes whenever something is added, replaced or removed."""
        everything = (*self.loras, *self.states, *self.samples)
        return f"{len(everything)}.{max((a.mtime for a in everything), default=0.0):.3f}"


def find(output: Path, engine: Engine, name: str) -> Outputs:
    """Look below ``output``. Links are not followed; at most 20,000 entries are looked at."""
    kinds: dict[str, list[Artifact]] = {"lora": [], "state": [], "sample": []}
    for entry, relative in _walk(output):
        file = engine.classify(relative, name)
        if file is None or file.kind not in kinds:
            continue
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # pruned by the engine between the listing and the look
        kinds[file.kind].append(Artifact(file, Path(entry.path), stat.st_size, stat.st_mtime))
    late = 1 << 60
    return Outputs(
        tuple(
            sorted(
                kinds["lora"],
                key=lambda a: (a.file.final, a.file.step or a.file.epoch or 0, a.mtime),
            )
        ),
        tuple(sorted(kinds["state"], key=lambda a: (a.file.epoch or a.file.step or late, a.mtime))),
        tuple(
            sorted(
                kinds["sample"],
                key=lambda a: (a.file.step or a.file.epoch or 0, a.file.prompt or 0),
            )
        ),
    )


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Entries below ``root`` with their path relative to it; hidden folders are left out."""
    todo, seen = [(str(root), "")], 0
    while todo:
        folder, prefix = todo.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            seen += 1
            if seen > MOST_ENTRIES:
                return
            if entry.is_symlink() or entry.name.startswith("."):
                continue
            relative = f"{prefix}{entry.name}"
            yield entry, relative
            if entry.is_dir(follow_symlinks=False):
                todo.append((entry.path, f"{relative}/"))


def saved_states(output: Path, engine: Engine, name: str) -> list[SavedState]:
    """Everything an attempt could go on from, each with whether it is whole."""
    found = find(output, engine, name)
    states = []
    for artifact in (*found.states, *found.loras):
        if artifact.path.is_dir():
            whole, step = _folder_is_whole(artifact.path), None
        elif artifact.path.suffix == ".safetensors":
            whole, step = _file_is_whole(artifact.path)
        else:
            continue
        states.append(SavedState(artifact.file, artifact.path, whole, artifact.mtime, step))
    return states


def _file_is_whole(path: Path) -> tuple[bool, int | None]:
    """Whole, and the step that ai-toolkit's own metadata tells."""
    try:
        metadata = read_header(path).metadata
    except (TornSafetensorsError, OSError):
        return False, None
    try:
        return True, int(json.loads(metadata.get("training_info", "{}")).get("step"))
    except (TypeError, ValueError):
        return True, None


def _folder_is_whole(path: Path) -> bool:
    """All files of an accelerate state are there and none is torn."""
    if not all((path / name).is_file() for name in _STATE_FILES):
        return False
    try:
        read_header(path / "model.safetensors")
        json.loads((path / "train_state.json").read_text("utf-8"))
        # optimizer.bin and scheduler.bin are zip archives, whose directory comes last.
        for name in ("optimizer.bin", "scheduler.bin"):
            with zipfile.ZipFile(path / name):
                continue
    except (TornSafetensorsError, OSError, ValueError, zipfile.BadZipFile):
        return False
    return (path / "random_states_0.pkl").stat().st_size > 0
