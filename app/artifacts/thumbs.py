"""Small versions of sample pictures, made at first sight and kept below the data folder's cache."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from app import pillow

EDGE = 320
"""Pixels of the longer side: sharp at the size of a grid's cell on a dense screen."""
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
LARGEST_PIXELS = 64_000_000
_at_once = threading.BoundedSemaphore(2)


def thumbnail(picture: Path, cache: Path) -> Path | None:
    """The small version of ``picture``, made if it is not there; None where it cannot be made.

    At most two are made at once: a decoded picture of 2048 by 2048 takes 12 MB.
    """
    stat = picture.stat()
    key = hashlib.sha256(f"{picture}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:24]
    small = cache / "thumbs" / key[:2] / f"{key}.webp"
    if small.is_file():
        return small
    small.parent.mkdir(parents=True, exist_ok=True)
    partial = small.with_name(f"{key}.{threading.get_ident()}.tmp")
    with _at_once:
        if not _shrink(picture, partial):
            partial.unlink(missing_ok=True)
            return None
    os.replace(partial, small)
    return small


def _shrink(picture: Path, target: Path) -> bool:
    """Write a small WebP; False for what is no picture, half written, or too large to decode."""
    try:
        with pillow.Image.open(picture) as image:
            if image.width * image.height > LARGEST_PIXELS:
                return False
            image.draft("RGB", (EDGE * 2, EDGE * 2))
            image.thumbnail((EDGE, EDGE))
            image.convert("RGB").save(target, "WEBP", quality=78, method=2)
    except pillow.read_errors():
        return False
    return True
