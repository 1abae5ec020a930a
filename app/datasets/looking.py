"""Looks at a dataset folder before a training does: sizes, captions, broken files.

What stops a whole run later is told now: a truncated picture and an empty caption each end a
sd-scripts run while it caches; a folder without pictures lets it exit with 0.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from engines.base import DatasetFacts
from engines.spec import EngineName

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
MOST_FILES = 200_000
_REMEMBERED = 64

# A picture of more pixels than this is refused by Pillow as a bomb; that is an unreadable file.
_READ_ERRORS = (
    OSError,
    UnidentifiedImageError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Report:
    """What was found. ``errors`` keep a job from starting; ``warnings`` do not.

    ``decoded`` of the pictures were decoded whole; the rest only had their header read.
    """

    facts: DatasetFacts
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    decoded: int = 0


@dataclass(frozen=True)
class _File:
    path: Path
    mtime_ns: int
    size: int


def look(
    path: Path, *, caption_extension: str, engine: EngineName, decode_seconds: float
) -> Report:
    """Look at one folder. Decodes pictures for at most ``decode_seconds``; 0 decodes none.

    ai-toolkit reads sub-folders, sd-scripts does not. What a file showed is remembered by its
    time and size, so that looking again costs a listing only.
    """
    problem = _folder_problem(path)
    if problem:
        return Report(DatasetFacts(()), (problem,))
    files = list(_files(path, recursive=engine == "ai-toolkit"))
    images = [f for f in files if f.path.suffix in _endings(engine)]
    if not images:
        return Report(DatasetFacts(()), (_no_images(path, files, engine),))
    sizes: Counter[tuple[int, int]] = Counter()
    broken: list[str] = []
    decoded = 0
    over = time.monotonic() + decode_seconds
    for image in images:
        seen = _MEMORY.look(image, decode=time.monotonic() < over)
        decoded += seen.decoded
        if seen.problem:
            broken.append(f"{image.path.name}: {seen.problem}")
        else:
            sizes[seen.width, seen.height] += 1
    captions, empty = _captions(images, files, caption_extension)
    facts = DatasetFacts(tuple((w, h, n) for (w, h), n in sorted(sizes.items())), captions)
    return Report(
        facts,
        tuple(_errors(broken, empty, engine)),
        tuple(_warnings(path, images, files, captions, decoded, caption_extension, engine)),
        decoded,
    )


def _endings(engine: EngineName) -> frozenset[str]:
    """sd-scripts knows endings all lower or all upper case; ai-toolkit lowers them itself."""
    if engine == "kohya_ss":
        return IMAGE_ENDINGS | {ending.upper() for ending in IMAGE_ENDINGS}
    return IMAGE_ENDINGS - {".bmp"}


def _folder_problem(path: Path) -> str:
    if not path.exists():
        return f"There is no folder {path}. Upload the pictures there, or name another folder."
    if not path.is_dir():
        return f"{path} is a file; name the folder that holds the pictures."
    if not os.access(path, os.R_OK | os.X_OK):
        return f"{path} cannot be read. Give this program the right to read it."
    return ""


def _files(root: Path, *, recursive: bool) -> Iterator[_File]:
    todo, seen = [root], 0
    while todo:
        for entry in sorted(os.scandir(todo.pop()), key=lambda e: e.name):
            seen += 1
            if seen > MOST_FILES:
                return
            if entry.name.startswith((".", "_latent_cache", "_t_e_cache", "_controls")):
                continue
            try:
                if entry.is_dir():
                    if recursive:
                        todo.append(Path(entry.path))
                    continue
                stat = entry.stat()
            except OSError:
                continue  # a dangling link is no picture
            yield _File(Path(entry.path), stat.st_mtime_ns, stat.st_size)


def _no_images(path: Path, files: list[_File], engine: EngineName) -> str:
    below = [d.name for d in sorted(path.iterdir()) if d.is_dir() and not d.name.startswith(".")]
    if below and engine == "kohya_ss":
        return (
            f"{path} holds no pictures itself, only folders ({', '.join(below[:3])}). "
            "kohya_ss does not look into them: name the folder that holds the pictures."
        )
    odd = [f.path.name for f in files if f.path.suffix.lower() in IMAGE_ENDINGS]
    if odd:
        return (
            f"{path}: the engine skips endings such as that of {odd[0]}; rename them to lower case."
        )
    return f"{path} holds no pictures (.png, .jpg, .jpeg, .webp). Put some there first."


def _captions(images: list[_File], files: list[_File], ending: str) -> tuple[int, list[str]]:
    sizes = {f.path: f.size for f in files}
    found = [sizes.get(image.path.with_suffix(ending)) for image in images]
    empty = [
        image.path.with_suffix(ending).name
        for image, size in zip(images, found, strict=True)
        if size == 0
    ]
    return sum(size is not None for size in found), empty


def _errors(broken: list[str], empty: list[str], engine: EngineName) -> Iterator[str]:
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        yield (
            f"Pictures that cannot be read would stop the run: {'; '.join(broken[:3])}{more}. "
            "Remove or replace them."
        )
    if empty and engine == "kohya_ss":
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        yield f"Empty caption files stop kohya_ss: {', '.join(empty[:3])}{more}. Write or delete them."


def _warnings(
    path: Path,
    images: list[_File],
    files: list[_File],
    captions: int,
    decoded: int,
    caption_extension: str,
    engine: EngineName,
) -> Iterator[str]:
    if captions < len(images):
        yield f"{path.name}: {len(images) - captions} of {len(images)} pictures have no {caption_extension} caption."
    skipped = [
        f
        for f in files
        if f.path.suffix.lower() in IMAGE_ENDINGS and f.path.suffix not in _endings(engine)
    ]
    if skipped:
        first = skipped[0].path.name
        yield f"{path.name}: {engine} skips {len(skipped)} pictures for their ending, such as {first}."
    if not os.access(path, os.W_OK):
        yield f"{path} cannot be written, and caches are kept beside the pictures; set cache latents to memory."


@dataclass(frozen=True)
class _Seen:
    width: int = 0
    height: int = 0
    problem: str = ""
    decoded: bool = False


class _Memory:
    """What pictures showed, by path, time and size; the oldest folders are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: OrderedDict[Path, dict[_File, _Seen]] = OrderedDict()

    def look(self, file: _File, *, decode: bool) -> _Seen:
        with self._lock:
            folder = self._folders.setdefault(file.path.parent, {})
            self._folders.move_to_end(file.path.parent)
            while len(self._folders) > _REMEMBERED:
                self._folders.popitem(last=False)
            known = folder.get(file)
        if known is None or (decode and not known.decoded and not known.problem):
            known = _see(file, decode=decode)
            with self._lock:
                folder[file] = known
        return known


def _see(file: _File, *, decode: bool) -> _Seen:
    if file.size == 0:
        return _Seen(problem="it is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file.path) as image:
                width, height = image.size
                if decode:
                    image.load()
    except _READ_ERRORS as error:
        return _Seen(problem=_short(str(error), file.path))
    return _Seen(width, height, decoded=decode)


def _short(text: str, path: Path) -> str:
    return text.replace(str(path), path.name)[:160] or "it cannot be read"


_MEMORY = _Memory()


def fingerprint(path: Path) -> dict[str, str]:
    """sha256 of every file below the folder, by its path relative to it. Reads everything."""
    sums = {}
    for file in _files(path, recursive=True):
        if file.path.suffix in (".npz",) or file.path.name == "metadata_cache.json":
            continue  # the engines' own caches change with every run
        with file.path.open("rb") as stream:
            sums[str(file.path.relative_to(path))] = hashlib.file_digest(
                stream, "sha256"
            ).hexdigest()
    return sums
