"""Small pictures of a dataset's pictures, kept under DATA_DIR/cache; made beforehand or when asked for.

Named by what they show, so that a file that changed gets another one and a page may keep them for good.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app import pillow, tasks
from app.datasets.cached import thumbnails_of
from app.datasets.pixels import eight_bits
from app.models import Dataset
from app.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

KIND = "dataset.thumbnails"
EDGE = 256
QUALITY = 76


def path_of(settings: Settings, dataset_id: int, name: str, mtime_ns: int, size: int) -> Path:
    """Where the thumbnail of a file of that time and size is, or would be."""
    told = hashlib.sha256(f"{name}\0{mtime_ns}\0{size}".encode()).hexdigest()[:32]
    return thumbnails_of(settings, dataset_id) / f"{told}.webp"


def make(source: Path, target: Path) -> None:
    """Draw one, turned as its EXIF says. Raises OSError or what Pillow raises for a broken picture."""
    with pillow.Image.open(source) as image:
        save(small_of(image), target)


def small_of(image: Image.Image) -> Image.Image:
    """An opened picture, read to its end and drawn small and upright."""
    # A JPEG is decoded at the smallest size that is still large enough.
    image.draft("RGB", (EDGE, EDGE))
    image = eight_bits(image)  # Pillow makes no picture of 16 bits smaller
    image.thumbnail((EDGE, EDGE), pillow.Image.Resampling.BICUBIC, reducing_gap=2.0)
    small = pillow.ImageOps.exif_transpose(image)
    if small.mode not in ("RGB", "RGBA"):
        alpha = small.mode in ("LA", "PA") or "transparency" in small.info
        small = small.convert("RGBA" if alpha else "RGB")
    return small


def save(small: Image.Image, target: Path) -> None:
    """Keep one, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        small.save(new, "WEBP", quality=QUALITY, method=0)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def start(dataset: Dataset) -> None:
    """Have those made that are missing, unless that waits or runs already."""
    if all(task.kind != KIND for task in tasks.active_of(f"dataset:{dataset.id}")):
        tasks.start(KIND, f"dataset:{dataset.id}", {"dataset": dataset.id})


def sweep(settings: Settings, dataset: Dataset, wanted: Iterable[Path]) -> None:
    """Remove thumbnails of files that changed or went; those in the trash are made again when needed."""
    names = {path.name for path in wanted}
    folder = thumbnails_of(settings, dataset.id)
    for path in folder.glob("*.webp") if folder.is_dir() else ():
        if path.name not in names:
            path.unlink(missing_ok=True)
