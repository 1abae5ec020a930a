"""Small pictures of a dataset's pictures, kept under DATA_DIR/cache; made beforehand or when asked for."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from PIL import Image, ImageOps

from app.settings import Settings

EDGE = 256
QUALITY = 76


def path_of(settings: Settings, dataset_id: int, name: str, mtime_ns: int, size: int) -> Path:
    """Where the thumbnail of a file of that time and size is, or would be."""
    told = hashlib.sha256(f"{name}\0{mtime_ns}\0{size}".encode()).hexdigest()[:32]
    return settings.data_dir / "cache" / "thumbnails" / str(dataset_id) / f"{told}.webp"


def make(source: Path, target: Path) -> None:
    """Draw one, turned as its EXIF says. Raises OSError or what Pillow raises for a broken picture."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        # A JPEG is decoded at the smallest size that is still large enough.
        image.draft("RGB", (EDGE, EDGE))
        image.thumbnail((EDGE, EDGE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        small = ImageOps.exif_transpose(image)
        if small.mode not in ("RGB", "RGBA"):
            alpha = small.mode in ("LA", "PA") or "transparency" in small.info
            small = small.convert("RGBA" if alpha else "RGB")
        new = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            small.save(new, "WEBP", quality=QUALITY, method=1)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
