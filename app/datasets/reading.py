"""Reads a picture once, and takes from it all that anybody asks for: is it sound, its sum, its size,
what its pixels are like, what it looks like, and its thumbnail.

For the processes of background work: imagehash brings scipy with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import pillow
from app.datasets import thumbnails
from app.datasets.seeing import facts_of, in_words, is_full

if TYPE_CHECKING:
    from PIL import Image

IN_MEMORY = 64 * 1024 * 1024
"""Files up to this are read whole at once; larger ones twice, for the sum and for the picture."""
UNREAD = "-"
"""In place of the sum of a file that could not be read."""
_SRGB_NAMES = ("srgb", "s rgb")
_FLAT = 2
"""Pictures that differ in fewer grey values than this show one colour: their hash says nothing."""


def read(
    path: Path, name: str, kind: str, *, thumb: Path | None = None, data: bytes | None = None
) -> dict[str, Any]:
    """What a file of a dataset shows, as values of its row; ``problem`` says why it cannot be read.

    Nothing where the file is gone. ``thumb``: where its thumbnail is to be. ``data``: its bytes,
    where they are at hand. Raises OSError where the disk is full.
    """
    values: dict[str, Any] = {"sha256": UNREAD, "phash": "", "traits": "", "problem": ""}
    try:
        if data is None and os.stat(path).st_size <= IN_MEMORY:
            data = path.read_bytes()
        values["sha256"] = _sum(path, data)
        if data == b"":
            values["problem"] = "it is empty (0 bytes)"
        elif kind == "image":
            _look(path if data is None else BytesIO(data), values, thumb)
    except FileNotFoundError:
        return {}  # the next scan drops its row
    except pillow.read_errors() as error:
        if is_full(error):
            raise
        values["problem"] = in_words(error, path, name)
    return values


def _sum(path: Path, data: bytes | None) -> str:
    if data is not None:
        return hashlib.sha256(data).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _look(source: Path | BytesIO, values: dict[str, Any], thumb: Path | None) -> None:
    import imagehash

    with pillow.Image.open(source) as image:
        values.update(facts_of(image), traits=" ".join(_traits(image)))
        # This reads it to its end, so a torn file is found here.
        small = thumbnails.small_of(image)
    grey = small.convert("L")
    low, high = grey.getextrema()
    if high - low >= _FLAT:  # type: ignore[operator]
        values["phash"] = str(imagehash.phash(grey))
    if thumb is not None:
        thumbnails.save(small, thumb)


def _traits(image: Image.Image) -> Iterator[str]:
    """What of the pixels an engine may read otherwise than a person sees them."""
    if image.mode == "CMYK":
        yield "cmyk"
    if image.mode.startswith(("I", "F")):
        yield "16-bit"
    if getattr(image, "is_animated", False):
        yield "animated"
    profile = image.info.get("icc_profile")
    if profile and not _is_srgb(profile):
        yield "profile"


def _is_srgb(profile: bytes) -> bool:
    cms = pillow.ImageCms
    try:
        name = cms.getProfileName(cms.ImageCmsProfile(BytesIO(profile)))
    except (cms.PyCMSError, OSError, TypeError, ValueError):
        return True  # nobody can read it, so nobody applies it
    return any(word in name.lower() for word in _SRGB_NAMES)
