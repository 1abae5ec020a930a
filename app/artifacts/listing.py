"""Lists what an engine wrote below a run's output folder."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.artifacts.safetensors import TornSafetensorsError, read_header

if TYPE_CHECKING:
    from engines.adapter import Engine
    from engines.base import OutputFile, SavedState

MOST_ENTRIES = 20_000
_ZIPS = (".bin", ".pkl", ".pt")


@dataclass(frozen=True)
class Artifact:
    """One file or state folder: what the engine calls it, size in bytes, mtime in epoch seconds.

    The size of a folder is that of the files in it.
    """

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
    kept: tuple[Artifact, ...] = ()
    """Checkpoints that a person pinned, where no engine prunes; their step as for the others."""

    @property
    def version(self) -> str:
        """Changes whenever something is added, replaced or removed."""
        everything = (*self.loras, *self.states, *self.samples, *self.kept)
        told = "".join(f"{a.file.path}\0{a.size}\0{a.mtime}\0" for a in everything)
        return f"{len(everything)}.{zlib.crc32(told.encode()):08x}"


def find(output: Path, engine: Engine, name: str) -> Outputs:
    """Look below ``output``. Links are not followed; at most 20,000 entries are looked at."""
    kinds: dict[str, list[Artifact]] = {"lora": [], "state": [], "sample": [], "kept": []}
    pinned = f"{kept_folder(name)}/"
    for entry, relative in _walk(output):
        ours = relative.startswith(pinned)
        file = _kept_file(relative, engine, name) if ours else engine.classify(relative, name)
        if file is None or file.kind not in kinds:
            continue
        try:
            stat = entry.stat(follow_symlinks=False)
            size = _folder_size(entry.path) if entry.is_dir() else stat.st_size
        except OSError:
            continue  # pruned by the engine between the listing and the look
        kinds[file.kind].append(Artifact(file, Path(entry.path), size, stat.st_mtime))
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
        tuple(sorted(kinds["kept"], key=lambda a: a.file.step or a.file.epoch or late)),
    )


def kept_folder(name: str) -> str:
    """Where pinned checkpoints are, below output; an engine writes to a folder of the job's name."""
    return "kept" if name != "kept" else "kept-files"


def _kept_file(relative: str, engine: Engine, name: str) -> OutputFile | None:
    """A pinned file, with the step that its name told the engine."""
    base = relative.partition("/")[2]
    told = engine.classify(base, name) or engine.classify(f"{name}/{base}", name)
    return replace(told, path=relative, kind="kept") if told and told.kind == "lora" else None


def _folder_size(folder: str) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Entries below ``root`` with their path relative to it; hidden folders are left out."""
    todo, seen = [(str(root), "")], 0
    while todo:
        folder, prefix = todo.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except OSError:
            continue  # gone meanwhile, or not ours to read: there is nothing to show of it
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
    from engines.base import SavedState

    found = find(output, engine, name)
    states: list[SavedState] = []
    step: int | None
    for artifact in (*found.states, *found.loras):
        if artifact.path.is_dir():
            whole, step = _folder_is_whole(artifact.path, engine.traits.state_files), None
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
    except (AttributeError, TypeError, ValueError, RecursionError):
        return True, None  # not written by the engine: whole, of no known step


def _folder_is_whole(path: Path, names: Sequence[str]) -> bool:
    """All files of an accelerate state are there and none is torn.

    The engine writes them one after another, so a kill leaves the last one torn or missing.
    """
    if not all((path / name).is_file() for name in names):
        return False
    try:
        read_header(path / "model.safetensors")
        json.loads((path / "train_state.json").read_text("utf-8"))
        # With fp16 there is a scaler.pt as well, with two GPUs a second random_states.
        return all(_is_whole_zip(file) for file in path.iterdir() if file.suffix in _ZIPS)
    except (TornSafetensorsError, OSError, ValueError):
        return False


def _is_whole_zip(path: Path) -> bool:
    """torch.save writes a zip, whose directory comes last: with it, the file is whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(archive.namelist())
    except zipfile.BadZipFile:
        return False
