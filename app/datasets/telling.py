"""The sentences about a dataset folder: what keeps a job from starting, and what is only odd."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from app.datasets.walking import File, Listing
from engines.adapter import ENGINES
from engines.registry import EngineName

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
VIDEO_ENDINGS = frozenset({".mp4", ".avi", ".mov", ".webm", ".mkv", ".wmv", ".m4v", ".flv"})


SOUND_ENDINGS = frozenset({".mp3", ".wav", ".flac", ".aac", ".ogg", ".m4a"})

Material = Literal["pictures", "clips", "sound"]
"""What a family trains on; one of clips trains on pictures too, one of sound on nothing else."""


def endings(engine: EngineName) -> frozenset[str]:
    """The endings an engine reads: in any case, or each all lower and all upper case."""
    reading = ENGINES[engine].traits.reading
    if reading.any_case:
        return _AnyCase(reading.endings)
    return reading.endings | {ending.upper() for ending in reading.endings}


class _AnyCase(frozenset[str]):
    """Holds an ending in whatever case it is written."""

    def __contains__(self, ending: object) -> bool:
        return isinstance(ending, str) and super().__contains__(ending.lower())


def folder_problem(path: Path) -> str:
    """Why the folder cannot be looked into; empty when it can."""
    try:
        if not path.exists():
            return f"There is no folder {path}. Upload the pictures there, or name another folder."
        if not path.is_dir():
            return f"{path} is a file; name the folder that holds the pictures."
    except (OSError, ValueError) as error:
        return f"{path} is no usable folder name: {getattr(error, 'strerror', None) or error}."
    if not os.access(path, os.R_OK | os.X_OK):
        return f"{path} cannot be read. Give this program the right to read it."
    return ""


def no_images(path: Path, listing: Listing, videos: Sequence[File], engine: EngineName) -> str:
    """Why there is nothing to train on, and where it may be."""
    below = listing.folders
    if below and not ENGINES[engine].traits.reading.subfolders:
        return (
            f"{path} holds no pictures itself, only folders ({', '.join(below[:3])}). "
            f"{engine} does not look into them: name the folder that holds the pictures."
        )
    odd = [f.name for f in listing.files if f.ending.lower() in IMAGE_ENDINGS]
    if odd:
        return (
            f"{path}: {engine} skips endings such as that of {odd[0]}; rename them to .png or .jpg."
        )
    if videos:
        return (
            f"{path} holds videos and no pictures; only video families of ai-toolkit train on them."
        )
    return f"{path} holds no pictures (.png, .jpg, .jpeg, .webp). Put some there first."


def no_sound(path: Path) -> str:
    """The same for a family that trains on sound alone."""
    return f"{path} holds no sound ({', '.join(sorted(SOUND_ENDINGS))}); this family trains on it."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return "; ".join(names[:3]) + more


def unreadable_pictures(broken: Sequence[str]) -> Iterator[str]:
    """Both engines end a whole run at the first one."""
    if broken:
        yield (
            f"Pictures that cannot be read would stop the run: {_some(broken)}. "
            "Remove or replace them."
        )


def empty_captions(empty: Sequence[str], engine: EngineName) -> Iterator[str]:
    """Where an empty one ends the run."""
    if empty and not ENGINES[engine].traits.reading.empty_captions:
        yield f"Empty caption files stop {engine}: {_some(empty)}. Write or delete them."


def unreadable_captions(unreadable: Sequence[str]) -> Iterator[str]:
    """Both engines end a whole run at the first one."""
    if unreadable:
        yield (
            f"Captions that cannot be read would stop the run: {_some(unreadable)}. "
            "Save them as UTF-8 text."
        )


def not_writable(path: Path, engine: EngineName, *, fatal: bool) -> Iterator[str]:
    """Some engines always write into the folder; others only cache there."""
    if fatal is ENGINES[engine].traits.reading.writes_beside and not os.access(path, os.W_OK):
        advice = (
            f"{engine} keeps its caches beside the pictures and stops without. Copy them elsewhere."
            if fatal
            else "caches are kept beside the pictures; set cache latents to memory."
        )
        yield f"{path} cannot be written, and {advice}"


def without_caption(
    path: Path, images: Sequence[File], captions: int, ending: str
) -> Iterator[str]:
    """Pictures that are trained on the trigger word, or on nothing."""
    if captions < len(images):
        missing = len(images) - captions
        verb = "has" if missing == 1 else "have"
        yield f"{path.name}: {missing} of {len(images)} pictures {verb} no {ending} caption."


def skipped(path: Path, listing: Listing, engine: EngineName) -> Iterator[str]:
    """What the engine passes over without a word."""
    known = endings(engine)
    names = [
        f.name
        for f in listing.files
        if f.ending.lower() in IMAGE_ENDINGS | {".avif", ".heic"} and f.ending not in known
    ]
    if names:
        yield f"{path.name}: {engine} skips {len(names)} pictures for their ending, such as {names[0]}."
    if listing.folders and not ENGINES[engine].traits.reading.subfolders:
        yield f"{path.name}: {engine} does not look into its folders ({_some(listing.folders)})."


def unnamed(path: Path, listing: Listing) -> Iterator[str]:
    """What is left out of the planned steps, and may end a run that prints it."""
    if count := len(listing.unnamed):
        names = "1 name is" if count == 1 else f"{count} names are"
        yield (
            f"{path.name}: {names} not UTF-8 text and not counted ({_some(listing.unnamed)}). "
            "Rename them."
        )


def unfinished(path: Path, images: int, unknown: int, *, cut: bool) -> Iterator[str]:
    """What the look did not get to."""
    if unknown:
        yield (
            f"{path.name}: {images - unknown} of {images} pictures are measured so far; "
            "the planned steps may still change."
        )
    if cut:
        yield f"{path.name} holds more files than are looked at; split the dataset."
