"""The work ``model.scan``: looks at everything on disk and writes the library. Runs in a child."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base_models import library
from app.base_models.cache import cache_folder, is_cached
from app.base_models.library import Entry, Library
from app.base_models.local import FILE_ENDINGS, Local, resolve
from app.base_models.recognising import Recognised, recognise
from app.settings import Settings
from app.tasks import Work
from app.text import is_text

_MOST_ENTRIES = 2000
_MOST_LISTED = 60
_MOST_LOOKED_AT = 100_000
_DEEPEST = 4


def run(work: Work) -> dict[str, Any]:
    """Arguments: ``folders``, those that a person added."""
    found = scan(work.settings, tuple(work.arguments.get("folders", ())), work)
    return {"entries": len(found.entries), "bytes": found.total}


def refresh(settings: Settings) -> None:
    """Look again, in the folders of the last look; after a download or a deletion."""
    scan(settings, library.read(settings).folders)


def scan(settings: Settings, folders: tuple[str, ...], work: Work | None = None) -> Library:
    """Look at everything and write it down."""
    cache = cache_folder(settings.hf_home, os.environ.get("HF_HUB_CACHE"))
    entries: list[Entry] = []
    notes = []
    for entry in _all(settings, cache, folders):
        entries.append(entry)
        if work is not None:
            work.progress(len(entries), None, entry.name)
        if len(entries) >= _MOST_ENTRIES:
            notes.append(f"There are more than {_MOST_ENTRIES} models; the rest is not shown.")
            break
    notes += [
        f"{folder} is not there (any more)." for folder in folders if not Path(folder).is_dir()
    ]
    found = Library(time.time(), tuple(entries), folders, tuple(notes))
    library.write(settings, found)
    return found


def _all(settings: Settings, cache: Path, folders: tuple[str, ...]) -> Iterator[Entry]:
    yield from _cached(cache)
    seen: set[Path] = set()
    for source, root in (("models", settings.models_dir), *(("folder", Path(f)) for f in folders)):
        for path in _models_below(root, _DEEPEST):
            real = path.resolve()
            # A folder may lie inside another; the cache inside one that was added.
            if real in seen or cache in path.parents:
                continue
            seen.add(real)
            yield _local(settings, source, path)


def _cached(cache: Path) -> Iterator[Entry]:
    try:
        folders = sorted(p for p in cache.iterdir() if p.name.startswith("models--") and p.is_dir())
    except OSError:
        return  # no cache yet
    for folder in folders:
        repo = folder.name.removeprefix("models--").replace("--", "/")
        if repo.count("/") == 1:
            yield _repository(cache, folder, repo)


def _repository(cache: Path, folder: Path, repo: str) -> Entry:
    blobs = [(path, path.stat()) for path in _children(folder / "blobs") if path.is_file()]
    snapshots = sorted(_children(folder / "snapshots"), key=lambda p: p.stat().st_mtime)
    newest = current(folder, snapshots)
    files = _files(newest) if newest else []
    found = _recognise_snapshot(newest, files) if newest else Recognised("unknown")
    name = repo
    if newest and not (newest / "model_index.json").exists():
        weights = [f for f, _ in files if f.endswith((".safetensors", ".ckpt"))]
        name = (
            f"{repo}/{weights[0]}"
            if len(weights) == 1 and found.kind in ("model", "lora")
            else repo
        )
    return Entry(
        key=_key("cache", folder),
        source="cache",
        name=name,
        path=str(folder),
        size=sum(stat.st_size for _, stat in blobs),
        used=max((max(s.st_atime, s.st_mtime) for _, s in blobs), default=folder.stat().st_mtime),
        complete=is_cached(cache, repo),
        revisions=len(snapshots),
        **_what(found, files),
    )


def current(folder: Path, snapshots: list[Path]) -> Path | None:
    """The revision that the main branch had when it was last asked for, else the newest here."""
    with contextlib.suppress(OSError, ValueError):
        named = folder / "snapshots" / (folder / "refs" / "main").read_text("ascii").strip()
        if named in snapshots:
            return named
    return snapshots[-1] if snapshots else None


def _recognise_snapshot(snapshot: Path, files: list[tuple[str, int]]) -> Recognised:
    if (snapshot / "model_index.json").exists():
        return recognise(snapshot)
    weights = sorted((f for f in files if f[0].endswith(FILE_ENDINGS)), key=lambda f: -f[1])
    return recognise(snapshot / weights[0][0]) if weights else Recognised("unknown")


def _local(settings: Settings, source: str, path: Path) -> Entry:
    found = recognise(path)
    files = _files(path) if path.is_dir() else []
    stat = path.stat()
    name = str(path)
    if source == "models":
        short = path.relative_to(settings.models_dir).as_posix()
        name = short if resolve(short, settings.data_dir) == Local(path.absolute()) else name
    half = path.suffix == ".part"
    what = _what(found, files)
    return Entry(
        key=_key(source, path),
        source=source,
        name=name,
        path=str(path),
        size=sum(size for _, size in files) if path.is_dir() else stat.st_size,
        used=max(stat.st_atime, stat.st_mtime),
        complete=not half and found.kind != "broken",
        **{**what, "says": "A download that has not ended." if half else what["says"]},
    )


def _what(found: Recognised, files: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "label": found.label,
        "families": found.families,
        "precision": found.precision,
        "says": found.says,
        "files": tuple(sorted(files, key=lambda f: -f[1])[:_MOST_LISTED]),
        "file_count": len(files),
    }


def _models_below(root: Path, depth: int) -> Iterator[Path]:
    """Single files and diffusers folders; links to folders are not followed."""
    for path in _children(root):
        if path.name.startswith(".") or not is_text(path.name):
            continue  # a name that is no text can be neither written down nor given to a job
        try:
            if path.is_dir() and not path.is_symlink():
                if (path / "model_index.json").is_file():
                    yield path
                elif depth > 1:
                    yield from _models_below(path, depth - 1)
            elif path.name.endswith((*FILE_ENDINGS, ".part")) and path.is_file():
                yield path
        except OSError:
            continue  # gone, or not ours to read


def _files(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes below a folder; those of links are their blobs'."""
    found = []
    for number, path in enumerate(folder.rglob("*")):
        if number >= _MOST_LOOKED_AT:
            break
        name = path.relative_to(folder).as_posix()
        if is_text(name) and path.is_file():
            found.append((name, path.stat().st_size))
    return found


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _key(source: str, path: Path) -> str:
    return hashlib.sha256(f"{source}:{path}".encode()).hexdigest()[:16]


__all__ = ["refresh", "run", "scan"]
