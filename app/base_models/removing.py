"""The work ``model.delete``: removes one entry of the library, nothing else. Runs in a child."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from app.base_models import library, scanning
from app.base_models.cache import cache_folder
from app.errors import UserError
from app.tasks import Work


def run(work: Work) -> dict[str, Any]:
    """Arguments: ``key`` of an entry, and its ``path`` as the person saw it."""
    settings = work.settings
    path = Path(work.arguments["path"])
    cache = cache_folder(settings.hf_home, os.environ.get("HF_HUB_CACHE"))
    entry = library.read(settings).find(work.arguments["key"])
    if entry is not None and entry.path != str(path):
        raise UserError("The library has changed since. Look again, then delete.")
    freed = entry.size if entry else 0
    if path.parent == cache and path.name.startswith("models--"):
        _repository(cache, path)
    elif settings.models_dir in path.parents and ".." not in path.parts:
        _local(path, settings.models_dir)
    else:
        raise UserError(
            f"{path} is neither in the model folder nor in the cache; it was left alone."
        )
    scanning.refresh(settings)
    return {"bytes": freed}


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
