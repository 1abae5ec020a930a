"""Pictures in a form that engines and thumbnails can take: eight bits, jpg or png."""

from __future__ import annotations

from io import BytesIO
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


def to_rgb(image: Image.Image) -> Image.Image:
    """Eight bits of red, green and blue, as the engines read it; transparency becomes white."""
    image = eight_bits(image)
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            image = _to_srgb(image, profile)
        except (pillow.ImageCms.PyCMSError, OSError, ValueError):
            profile = None  # a profile that cannot be read changes nothing for an engine either
    made = flat(image)
    made.info.pop("icc_profile", None)
    return made


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    cms = pillow.ImageCms
    own = cms.ImageCmsProfile(BytesIO(profile))
    made = cms.profileToProfile(image, own, cms.createProfile("sRGB"), outputMode="RGB")
    return made or image


def flat(image: Image.Image) -> Image.Image:
    """As RGB; transparency becomes white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        ground = pillow.Image.new("RGBA", seen.size, "white")
        return pillow.Image.alpha_composite(ground, seen).convert("RGB")
    return image.convert("RGB")


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
        if image.mode == "CMYK":
            image, profile = to_rgb(image), None
        if "A" in image.getbands() or "transparency" in image.info:
            target = stem.with_name(stem.name + ".png")
            image.convert("RGBA").save(new, "PNG", icc_profile=profile)
        else:
            target = stem.with_name(stem.name + ".jpg")
            image.convert("RGB").save(
                new, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile
            )
    new.replace(target)
    return target
