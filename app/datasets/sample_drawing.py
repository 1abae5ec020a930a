"""Draws the pictures of the sample dataset: one little robot, the same in each, in a dozen places.

Imported in the task's child alone: Pillow is not for the server's process. Everything is drawn at
twice its size and reduced, which smooths the edges.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIZE = 1024
"""Pixels of an edge: what most families train at, so that the health report finds nothing to mend."""
_OVER = 2
_EDGE = SIZE * _OVER
Colour = tuple[int, int, int]
Pen = ImageDraw.ImageDraw
Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""

_BODY, _DARK, _VISOR = (52, 168, 160), (30, 110, 108), (24, 34, 48)
_EYE, _BALL, _METAL = (255, 214, 92), (244, 119, 62), (168, 178, 190)


@dataclass(frozen=True)
class Scene:
    """One picture: its caption, the colours of the sky from above to below, what stands behind the
    robot, and the robot: where its feet are and how tall it is, as parts of the picture; whether
    it waves, and with which hand."""

    caption: str
    sky: tuple[Colour, Colour]
    behind: Callable[[Pen, random.Random], None]
    x: float = 0.5
    ground: float = 0.86
    tall: float = 0.6
    waves: str = ""


def draw(scene: Scene, seed: int) -> Image.Image:
    """The picture; the same for the same scene and seed."""
    image = _gradient(*scene.sky)
    pen = ImageDraw.Draw(image)
    scene.behind(pen, random.Random(seed))
    tall = scene.tall * _EDGE
    x, y = scene.x * _EDGE, scene.ground * _EDGE
    pen.ellipse(
        (x - tall * 0.27, y - tall * 0.03, x + tall * 0.27, y + tall * 0.05),
        fill=_shade(image, x, y),
    )
    _robot(pen, x, y, tall, scene.waves)
    return image.reduce(_OVER)


def _shade(image: Image.Image, x: float, y: float) -> Colour:
    """The colour of the ground there, darker."""
    red, green, blue = image.getpixel((int(x), min(_EDGE - 1, int(y))))[:3]  # type: ignore[index]
    return int(red * 0.72), int(green * 0.72), int(blue * 0.75)


def _gradient(top: Colour, bottom: Colour) -> Image.Image:
    column = Image.new("RGB", (1, 64))
    for y in range(64):
        part = y / 63
        mixed = [round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True)]
        column.putpixel((0, y), (mixed[0], mixed[1], mixed[2]))
    return column.resize((_EDGE, _EDGE), Image.Resampling.BICUBIC)


def _robot(pen: Pen, x: float, y: float, tall: float, waves: str) -> None:
    """Feet at (x, y). All its measures are parts of its height."""

    def box(at: Box, fill: Colour, round_: float) -> None:
        left, top, right, bottom = at
        area = (x + left * tall, y - top * tall, x + right * tall, y - bottom * tall)
        pen.rounded_rectangle(area, radius=round_ * tall, fill=fill)

    def ball(left: float, up: float, size: float, fill: Colour) -> None:
        at, height, half = x + left * tall, y - up * tall, size * tall
        pen.ellipse((at - half, height - half, at + half, height + half), fill=fill)

    for side in (-1, 1):
        box((0.09 * side - 0.045, 0.18, 0.09 * side + 0.045, 0.02), _METAL, 0.02)
        box((0.1 * side - 0.075, 0.06, 0.1 * side + 0.075, 0.0), _DARK, 0.03)
        _arm(pen, (x, y, tall), side, raised=waves == {-1: "left", 1: "right"}[side])
    box((-0.2, 0.5, 0.2, 0.14), _BODY, 0.07)
    box((-0.12, 0.4, 0.12, 0.22), _DARK, 0.03)
    ball(0.0, 0.31, 0.045, _BALL)
    box((-0.05, 0.55, 0.05, 0.48), _METAL, 0.01)
    box((-0.012, 0.95, 0.012, 0.84), _METAL, 0.0)
    ball(0.0, 0.965, 0.035, _BALL)
    box((-0.25, 0.86, 0.25, 0.54), _BODY, 0.1)
    box((-0.19, 0.79, 0.19, 0.61), _VISOR, 0.08)
    for side in (-1, 1):
        ball(0.09 * side, 0.7, 0.045, _EYE)
        ball(0.09 * side + 0.012, 0.712, 0.014, (255, 255, 255))


def _arm(pen: Pen, at: tuple[float, float, float], side: int, *, raised: bool) -> None:
    """From the shoulder, hanging or up, with a round hand."""
    x, y, tall = at
    shoulder = (x + 0.2 * side * tall, y - 0.44 * tall)
    out, up = (0.38, 0.66) if raised else (0.31, 0.24)
    hand = (x + out * side * tall, y - up * tall)
    pen.line((shoulder, hand), fill=_METAL, width=round(0.055 * tall))
    for spot, size, fill in ((shoulder, 0.045, _DARK), (hand, 0.055, _BALL)):
        half = size * tall
        pen.ellipse((spot[0] - half, spot[1] - half, spot[0] + half, spot[1] + half), fill=fill)
