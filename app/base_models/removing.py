"""The work ``model.delete``: removes one entry of the library, or a part of it. Runs in a child."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from app.base_models import library, scanning
from app.base_models.cache import cache_folder
from app.base_models.library import OLDER
from app.errors import UserError
from app.tasks import Work


def run(work: Work) -> dict[str, Any]:
    """Arguments: ``key`` of an entry, and its ``path`` as the person saw it.

    Of a repository in the cache also ``part``: ``OLDER`` for all revisions but the current one, or
    the name of a file.
    """
    settings = work.settings
    path = Path(work.arguments["path"])
    cache = cache_folder(settings.hf_home, os.environ.get("HF_HUB_CACHE"))
    entry = library.read(settings).find(work.arguments["key"])
    if entry is not None and entry.path != str(path):
        raise UserError("The library has changed since. Look again, then delete.")
    freed, part = entry.size if entry else 0, work.arguments.get("part", "")
    is_repository = path.parent == cache and path.name.startswith("models--")
    if part and not is_repository:
        raise UserError(f"{path} is deleted whole or not at all; it was left alone.")
    if part and not path.is_dir():
        raise UserError(f"{path} is not there (any more). Look again.")
    if part:
        freed = _older(path) if part == OLDER else _file(path, part)
    elif is_repository:
        _repository(cache, path)
    elif settings.models_dir in path.parents and ".." not in path.parts:
        _local(path, settings.models_dir)
    else:
        raise UserError(
            f"{path} is neither in the model folder nor in the cache; it was left alone."
        )
    scanning.refresh(settings)
    return {"bytes": freed}


def _older(folder: Path) -> int:
    """Keep the current revision and what it needs; bytes freed."""
    snapshots = sorted((folder / "snapshots").iterdir(), key=lambda p: p.stat().st_mtime)
    kept = scanning.current(folder, snapshots)
    for snapshot in snapshots:
        if snapshot != kept:
            shutil.rmtree(snapshot)
    for ref in (folder / "refs").rglob("*"):
        if kept is not None and ref.is_file() and ref.read_text("ascii").strip() != kept.name:
            ref.unlink()
    return _unreferenced(folder)


def _file(folder: Path, name: str) -> int:
    """One file out of every revision; bytes freed."""
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise UserError(f"{name} is no file of this model.")
    links = [snapshot / name for snapshot in (folder / "snapshots").iterdir()]
    there = [link for link in links if link.is_symlink() or link.is_file()]
    if not there:
        raise UserError(f"There is no {name} in it (any more). Look again.")
    copied = sum(link.stat().st_size for link in there if not link.is_symlink())
    for link in there:
        link.unlink()
    return copied + _unreferenced(folder)


def _unreferenced(folder: Path) -> int:
    """Remove blobs that no revision links to; what is still being downloaded stays."""
    wanted = {
        Path(os.path.realpath(link)).name
        for link in (folder / "snapshots").rglob("*")
        if link.is_symlink()
    }
    freed = 0
    for blob in (folder / "blobs").iterdir() if (folder / "blobs").is_dir() else ():
        if blob.name not in wanted and blob.suffix != ".incomplete":
            freed += blob.stat().st_size
            blob.unlink()
    return freed


def _repository(cache: Path, folder: Path) -> None:
    """All revisions and what a cut download left: a repository shares no blob with another.

    Not by the library's ``delete_revisions``: that takes a revision of the same hash from every
    repository, a copy under another name as well.
    """
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    shutil.rmtree(cache / ".locks" / folder.name, ignore_errors=True)


def _local(path: Path, root: Path) -> None:
    """A file or folder below the model folder; a link is removed, never what it points to."""
    if (
        path.parent.resolve() != root.resolve()
        and root.resolve() not in path.parent.resolve().parents
    ):
        raise UserError(f"{path} leads out of the model folder; it was left alone.")
    if path.is_symlink() or path.is_file():
        path.unlink()
        if path.suffix == ".part":
            for note in root.glob(".*.download.json"):
                if f'"{path.stem}"' in note.read_text("utf-8", "replace"):
                    note.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
