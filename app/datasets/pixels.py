"""Pictures in a form that engines and thumbnails can take: eight bits, jpg or png."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app import pillow

if TYPE_CHECKING:
    from PIL import Image

QUALITY = 95


def eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 bits scaled to 8, where Pillow would cut them off at 255; any other as it is."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    return image.convert("I").point(lambda value: value / 257).convert("L")


def convert(source: Path, stem: Path) -> Path:
    """Write ``stem``.jpg, or ``stem``.png where it is transparent: upright, with its colour profile.

    Raises pillow.read_errors(). The caller sees to it that the stem is free.
    """
    import pillow_heif

    pillow_heif.register_heif_opener()
    stem.parent.mkdir(parents=True, exist_ok=True)
    new = stem.with_name(stem.name + ".part")
    with pillow.Image.open(source) as opened:
        profile = opened.info.get("icc_profile")
        image = eight_bits(pillow.ImageOps.exif_transpose(opened))
        if "A" in image.getbands():
            target = stem.with_name(stem.name + ".png")
            image.save(new, "PNG", icc_profile=profile)
        else:
            target = stem.with_name(stem.name + ".jpg")
            image.convert("RGB").save(
                new, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile
            )
    new.replace(target)
    return target
