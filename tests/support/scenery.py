"""Draws pictures that can stand for photographs and samples: a dog in several places.

Everything is drawn from numbers, so that a screenshot needs no picture that somebody owns.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
SCALE = 1.5
"""Drawn larger and made smaller, so that edges are smooth."""
PLACES: dict[str, tuple[Colour, Colour, Colour]] = {
    # top of the sky, bottom of the sky, ground
    "at sunset": ((74, 62, 122), (250, 162, 96), (206, 164, 116)),
    "in a meadow": ((104, 170, 226), (214, 234, 242), (98, 150, 70)),
    "in the snow": ((58, 78, 122), (176, 196, 220), (236, 241, 247)),
    "in autumn": ((198, 206, 204), (240, 220, 180), (176, 100, 44)),
    "by the sea": ((92, 156, 206), (220, 236, 240), (220, 196, 150)),
    "on the moor": ((112, 116, 140), (206, 196, 206), (110, 84, 118)),
}
GOLDEN, GREY = (205, 143, 70), (138, 138, 140)


@dataclass(frozen=True)
class Look:
    """How far a sample has come: 0 is the base model's guess, 1 the finished LoRA."""

    learnt: float = 1.0
    seed: int = 0

    @property
    def fur(self) -> Colour:
        return mix(GREY, GOLDEN, self.learnt)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """A colour between two."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def landscape(
    place: str, size: tuple[int, int], look: Look, *, with_dog: bool = True
) -> Image.Image:
    """The dog sits in a landscape."""
    sky, low, ground = PLACES[place]
    chance = random.Random(f"{place} {look.seed}")
    width, height = (round(edge * SCALE) for edge in size)
    horizon = round(height * chance.uniform(0.5, 0.62))
    image = gradient((width, height), sky, low, horizon)
    draw = ImageDraw.Draw(image)
    sun, radius = chance.uniform(0.15, 0.85) * width, height * 0.07
    glow(image, (sun, horizon * 0.62), radius, (255, 244, 214))
    hills(draw, (width, height), horizon, (mix(low, ground, 0.4), mix(low, ground, 0.7)), chance)
    draw.rectangle((0, horizon, width, height), fill=ground)
    blades(draw, (0, horizon, width, height), ground, chance)
    if with_dog:
        dog(draw, (width * chance.uniform(0.35, 0.65), height * 0.96), height * 0.0052, look.fur)
    if place == "in the snow":
        flakes(draw, (width, height), chance)
    return developed(image, size, look)


def portrait(size: tuple[int, int], look: Look) -> Image.Image:
    """The dog's head, large, before lights that are out of focus."""
    chance = random.Random(f"portrait {look.seed}")
    width, height = (round(edge * SCALE) for edge in size)
    image = gradient((width, height), (38, 58, 60), (92, 110, 84), height)
    for _ in range(16):
        at = (chance.uniform(0, width), chance.uniform(0, height * 0.8))
        glow(image, at, height * chance.uniform(0.03, 0.09), (214, 206, 150), 0.35)
    image = image.filter(ImageFilter.GaussianBlur(height / 60))
    draw = ImageDraw.Draw(image)
    unit, middle = height * 0.0115, width / 2
    shoulder = mix(look.fur, (0, 0, 0), 0.15)
    draw.ellipse(
        (middle - 34 * unit, height - 32 * unit, middle + 34 * unit, height * 1.5), shoulder
    )
    head(draw, (middle, height * 0.47), unit, look.fur)
    return developed(image, size, look)


def lighthouse(size: tuple[int, int], look: Look) -> Image.Image:
    """A prompt without the dog: it shows what the LoRA does to everything else."""
    sky, low, ground = PLACES["in the snow"]
    chance = random.Random(f"lighthouse {look.seed}")
    width, height = (round(edge * SCALE) for edge in size)
    image = gradient((width, height), sky, low, round(height * 0.7))
    draw = ImageDraw.Draw(image)
    hills(draw, (width, height), round(height * 0.7), (mix(low, ground, 0.5), ground), chance)
    draw.rectangle((0, round(height * 0.76), width, height), fill=ground)
    middle, unit = width * chance.uniform(0.4, 0.6), height / 100
    for stripe in range(6):
        top, wide = height * 0.26 + stripe * 9 * unit, (4.6 + stripe * 0.5) * unit
        fill = (232, 232, 228) if stripe % 2 else mix(GREY, (176, 44, 40), look.learnt)
        draw.polygon([(middle - wide, top), (middle + wide, top), (middle + wide + unit / 2, top + 9 * unit),
                      (middle - wide - unit / 2, top + 9 * unit)], fill=fill)  # fmt: skip
    draw.rectangle(
        (middle - 3.4 * unit, 19 * unit, middle + 3.4 * unit, 26 * unit), fill=(52, 56, 64)
    )
    draw.polygon(
        [(middle - 4 * unit, 19 * unit), (middle, 14 * unit), (middle + 4 * unit, 19 * unit)],
        (52, 56, 64),
    )
    glow(image, (middle, 22 * unit), 4 * unit, (255, 236, 170))
    flakes(draw, (width, height), chance)
    return developed(image, size, look)


def dog(draw: ImageDraw.ImageDraw, foot: tuple[float, float], unit: float, fur: Colour) -> None:
    """It sits, seen from the front; ``foot`` is the middle between its paws."""
    x, y = foot
    dark, light = mix(fur, (0, 0, 0), 0.22), mix(fur, (255, 255, 255), 0.45)
    draw.ellipse((x - 36 * unit, y - 7 * unit, x + 36 * unit, y + 5 * unit), fill=(46, 40, 44))
    draw.arc(
        (x + 8 * unit, y - 44 * unit, x + 46 * unit, y - 2 * unit), 300, 110, dark, round(7 * unit)
    )
    draw.ellipse((x - 28 * unit, y - 66 * unit, x + 28 * unit, y), fill=dark)
    draw.ellipse((x - 20 * unit, y - 74 * unit, x + 20 * unit, y - 4 * unit), fill=fur)
    draw.ellipse((x - 11 * unit, y - 64 * unit, x + 11 * unit, y - 20 * unit), fill=light)
    for side in (-1, 1):
        middle = x + side * 10 * unit
        draw.rounded_rectangle(
            (middle - 6 * unit, y - 36 * unit, middle + 6 * unit, y), 6 * unit, fur
        )
        draw.ellipse((middle - 8 * unit, y - 7 * unit, middle + 8 * unit, y + 2 * unit), fill=light)
    head(draw, (x, y - 84 * unit), unit * 0.8, fur)


def head(draw: ImageDraw.ImageDraw, middle: tuple[float, float], unit: float, fur: Colour) -> None:
    """Seen from the front, ears hanging."""
    x, y = middle
    dark, light = mix(fur, (0, 0, 0), 0.38), mix(fur, (255, 255, 255), 0.5)
    draw.ellipse((x - 25 * unit, y - 26 * unit, x + 25 * unit, y + 24 * unit), fill=fur)
    for side in (-1, 1):
        ear = [(15, -24), (25, -23), (33, -6), (32, 14), (25, 18), (20, 2)]
        draw.polygon([(x + side * a * unit, y + b * unit) for a, b in ear], fill=dark)
    draw.ellipse((x - 5 * unit, y - 24 * unit, x + 5 * unit, y + 4 * unit), fill=light)
    draw.ellipse((x - 15 * unit, y - 2 * unit, x + 15 * unit, y + 27 * unit), fill=light)
    draw.ellipse((x - 7 * unit, y + 1 * unit, x + 7 * unit, y + 10 * unit), fill=(30, 26, 28))
    draw.ellipse((x - 4 * unit, y + 2 * unit, x, y + 5 * unit), fill=(120, 112, 116))
    draw.arc(
        (x - 9 * unit, y + 8 * unit, x, y + 20 * unit), 10, 150, (70, 50, 44), max(1, round(unit))
    )
    draw.arc(
        (x, y + 8 * unit, x + 9 * unit, y + 20 * unit), 30, 170, (70, 50, 44), max(1, round(unit))
    )
    for side in (-1, 1):
        eye = x + side * 11.5 * unit
        draw.ellipse((eye - 4.4 * unit, y - 9 * unit, eye + 4.4 * unit, y), fill=(42, 28, 20))
        draw.ellipse(
            (eye - 0.4 * unit, y - 7.6 * unit, eye + 2.4 * unit, y - 4.8 * unit), (250, 250, 246)
        )


def gradient(size: tuple[int, int], top: Colour, low: Colour, until: int) -> Image.Image:
    """From one colour to another, downwards, over ``until`` lines."""
    lines = np.clip(np.arange(size[1]) / max(1, until), 0, 1)[:, None]
    column = np.array(top) * (1 - lines) + np.array(low) * lines
    return Image.fromarray(np.repeat(column[:, None, :], size[0], axis=1).astype("uint8"))


def glow(
    image: Image.Image, at: tuple[float, float], radius: float, colour: Colour, most: float = 1.0
) -> None:
    """A bright spot with a halo."""
    halo = Image.new("L", image.size)
    box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    ImageDraw.Draw(halo).ellipse(box, fill=round(255 * most))
    wide = halo.resize((image.width // 8, image.height // 8)).filter(
        ImageFilter.GaussianBlur(radius / 10)
    )
    for mask in (wide.resize(image.size), halo.filter(ImageFilter.GaussianBlur(1))):
        image.paste(colour, (0, 0), mask)


def hills(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, tints: tuple[Colour, ...],
    chance: random.Random,
) -> None:  # fmt: skip
    """Two ranges, the farther one paler."""
    for number, tint in enumerate(tints):
        tops = np.linspace(0, size[0], 40)
        waves = [chance.uniform(60, 180) * SCALE for _ in range(2)]
        shift, tall = chance.uniform(0, 9), size[1] * (0.16 - number * 0.08)
        rise = (
            np.sin(tops / waves[0] + shift) * 0.5 + np.sin(tops / waves[1] + shift * 2) * 0.3 + 0.6
        )
        edge = [(x, horizon - tall * up) for x, up in zip(tops, rise, strict=True)]
        draw.polygon([*edge, (size[0], horizon), (0, horizon)], fill=tint)


def blades(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], ground: Colour, chance: random.Random
) -> None:
    """Strokes of grass, sand or snow, longer towards us."""
    left, top, right, bottom = box
    for _ in range(700):
        near = chance.random()
        x, y = chance.uniform(left, right), top + (bottom - top) * near
        tint = mix(ground, chance.choice(((255, 255, 255), (0, 0, 0))), chance.uniform(0.04, 0.16))
        draw.line((x, y, x + chance.uniform(2, 16) * near * SCALE, y - 5 * near * SCALE), tint, 2)


def flakes(draw: ImageDraw.ImageDraw, size: tuple[int, int], chance: random.Random) -> None:
    for _ in range(160):
        x, y, radius = (
            chance.uniform(0, size[0]),
            chance.uniform(0, size[1]),
            chance.uniform(0.8, 3),
        )
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(250, 252, 255))


def developed(image: Image.Image, size: tuple[int, int], look: Look) -> Image.Image:
    """Grain and soft corners of a photograph; blur and noise of what is not learnt yet."""
    missing = 1 - look.learnt
    if missing > 0.02:
        image = image.filter(ImageFilter.GaussianBlur(missing * size[1] / 45))
    image = image.resize(size, Image.Resampling.BILINEAR)
    numbers = np.random.default_rng(look.seed)
    across, down = np.linspace(-1, 1, size[0])[None, :], np.linspace(-1, 1, size[1])[:, None]
    corners = 1 - 0.16 * (across**2 + down**2)
    grain = numbers.normal(0, 3 + 16 * missing, (size[1], size[0], 1))
    pixels = np.asarray(image, dtype="float32") * corners[:, :, None] + grain
    return Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
