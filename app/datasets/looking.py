"""Looks at a dataset folder before a training does: sizes, captions, broken files.

What stops a whole run later is told now: a truncated picture and an empty caption each end a
sd-scripts run while it caches; a folder without pictures lets it exit with 0.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from app.datasets import telling
from app.datasets.seeing import Memory, Seen, is_known, see_caption, see_picture
from app.datasets.walking import File, Listing, walk
from engines.adapter import ENGINES
from engines.base import DatasetFacts
from engines.registry import EngineName

HEADER_SECONDS = 3.0
"""How long one look reads headers of pictures that it does not know yet."""

_memory = Memory()


@dataclass(frozen=True)
class Report:
    """What was found. ``errors`` keep a job from starting; ``warnings`` do not.

    ``decoded`` of the pictures were read whole, the rest only by their header. ``complete`` is
    False when time ran out before every picture was measured: the facts are then estimates, and
    the next look goes on where this one ended.
    """

    facts: DatasetFacts
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    decoded: int = 0
    complete: bool = True


@dataclass
class _View:
    """The folder as it is being looked at. ``over``: when measuring ends; decoding may end before."""

    root: Path
    listing: Listing
    over: float
    decode_over: float | None
    known: dict[str, Seen]
    seen: dict[str, Seen] = field(default_factory=dict)

    def picture(self, file: File) -> Seen | None:
        """What it shows; None when there is no time left to find out."""
        seen = self.known.get(file.name)
        thorough = self.decode_over is not None and time.monotonic() < self.decode_over
        if not is_known(file, seen, thorough=thorough):
            if time.monotonic() >= self.over:
                return None
            seen = see_picture(self.root, file, thorough=thorough)
        if seen is not None:
            self.seen[file.name] = seen
        return seen

    def caption(self, file: File) -> Seen | None:
        seen = self.known.get(file.name)
        if not is_known(file, seen, thorough=True):
            if self.decode_over is None or time.monotonic() >= self.decode_over:
                return None
            seen = see_caption(self.root, file)
        if seen is not None:
            self.seen[file.name] = seen
        return seen


def look(
    path: Path,
    *,
    caption_extension: str,
    engine: EngineName,
    decode_seconds: float,
    material: telling.Material = "pictures",
) -> Report:
    """Look at one folder. Decodes pictures for at most ``decode_seconds``; 0 decodes none.

    The engine's traits say how it reads a folder. Clips and sound, where the family trains on
    such ``material``, are looked for and not opened. What a file showed is remembered by its time and
    size, so that looking again costs a listing only.
    """
    problem = telling.folder_problem(path)
    if problem:
        return Report(DatasetFacts(()), (problem,))
    try:
        listing = walk(path, recursive=ENGINES[engine].traits.reading.subfolders)
    except OSError as error:
        return Report(DatasetFacts(()), (f"{path} cannot be read: {error.strerror}.",))
    images = _images(listing, engine, material)
    problem = "" if images else _nothing(path, listing, engine, material)
    if problem:
        return Report(DatasetFacts(()), (problem,))
    now = time.monotonic()
    view = _View(
        path,
        listing,
        over=now + max(HEADER_SECONDS, decode_seconds),
        decode_over=now + decode_seconds if decode_seconds else None,
        known=_memory.recall(path),
    )
    report = _report(view, images, caption_extension, engine)
    _memory.keep(path, view.seen)
    return report


def _images(listing: Listing, engine: EngineName, material: telling.Material) -> list[File]:
    endings = telling.endings(engine) if material != "sound" else frozenset()
    return [file for file in listing.files if file.ending in endings]


def _nothing(path: Path, listing: Listing, engine: EngineName, material: telling.Material) -> str:
    """Why a folder without pictures holds nothing to train on; empty when it does."""
    if material == "sound":
        found = any(file.ending.lower() in telling.SOUND_ENDINGS for file in listing.files)
        return "" if found else telling.no_sound(path)
    videos = [f for f in listing.files if f.ending.lower() in telling.VIDEO_ENDINGS]
    if videos and material == "clips":
        return ""
    return telling.no_images(path, listing, videos, engine)


def _report(view: _View, images: list[File], caption_extension: str, engine: EngineName) -> Report:
    sizes: Counter[tuple[int, int]] = Counter()
    broken: list[str] = []
    unknown = decoded = 0
    for image in images:
        seen = view.picture(image)
        if seen is None:
            unknown += 1
            continue
        decoded += seen.thorough
        if seen.problem:
            broken.append(f"{image.name}: {seen.problem}")
        elif seen.turned and ENGINES[engine].traits.reading.turns:
            sizes[seen.height, seen.width] += 1
        else:
            sizes[seen.width, seen.height] += 1
    if unknown:
        # Those not measured yet are taken to be like the most common ones.
        sizes[sizes.most_common(1)[0][0] if sizes else (1024, 1024)] += unknown
    captions, empty, unreadable = _captions(view, images, caption_extension)
    errors = [
        *telling.unreadable_pictures(broken),
        *telling.empty_captions(empty, engine),
        *telling.unreadable_captions(unreadable),
        *telling.not_writable(view.root, engine, fatal=True),
    ]
    warnings = [
        *telling.without_caption(view.root, images, captions, caption_extension),
        *telling.skipped(view.root, view.listing, engine),
        *telling.unnamed(view.root, view.listing),
        *telling.not_writable(view.root, engine, fatal=False),
        *telling.unfinished(view.root, len(images), unknown, cut=view.listing.cut),
    ]
    facts = DatasetFacts(tuple((w, h, n) for (w, h), n in sorted(sizes.items())), captions)
    return Report(facts, tuple(errors), tuple(warnings), decoded, complete=not unknown)


def _captions(view: _View, images: list[File], ending: str) -> tuple[int, list[str], list[str]]:
    """How many pictures have one, the empty ones, and those that cannot be read."""
    files = {file.name: file for file in view.listing.files}
    found = [files[name] for image in images if (name := image.stem + ending) in files]
    empty = [caption.name for caption in found if caption.size == 0]
    unreadable = []
    for caption in found:
        seen = view.caption(caption) if caption.size else None
        if seen is not None and seen.problem:
            unreadable.append(f"{caption.name}: {seen.problem}")
    return len(found), empty, unreadable
