"""The places in which the sample dataset shows its robot, and what the captions say of them."""

from __future__ import annotations

import random

from app.datasets.sample_drawing import SIZE, Colour, Pen, Scene

_EDGE = 2 * SIZE


def _ground(pen: Pen, top: float, fill: Colour) -> None:
    pen.rectangle((0, top * _EDGE, _EDGE, _EDGE), fill=fill)


def _disc(pen: Pen, x: float, y: float, size: float, fill: Colour) -> None:
    pen.ellipse([part * _EDGE for part in (x - size, y - size, x + size, y + size)], fill=fill)


def _shape(pen: Pen, points: list[tuple[float, float]], fill: Colour) -> None:
    pen.polygon([(x * _EDGE, y * _EDGE) for x, y in points], fill=fill)


def _meadow(pen: Pen, chance: random.Random) -> None:
    _disc(pen, 0.82, 0.16, 0.07, (255, 236, 160))
    _disc(pen, 0.25, 0.95, 0.5, (126, 188, 104))
    _ground(pen, 0.7, (104, 170, 84))
    for _ in range(40):
        _disc(pen, chance.random(), chance.uniform(0.74, 0.98), 0.008, (250, 250, 240))


def _beach(pen: Pen, chance: random.Random) -> None:
    _disc(pen, 0.2, 0.18, 0.08, (255, 240, 190))
    _ground(pen, 0.56, (44, 140, 186))
    _ground(pen, 0.7, (236, 212, 160))
    _shape(pen, [(0.84, 0.78), (0.87, 0.78), (0.83, 0.34), (0.81, 0.34)], (140, 100, 62))
    for _ in range(7):
        x, y = chance.uniform(0.64, 0.99), chance.uniform(0.26, 0.42)
        _shape(pen, [(0.82, 0.34), (x, y), (x - 0.02, y + 0.04)], (46, 134, 78))


def _snow(pen: Pen, chance: random.Random) -> None:
    _shape(pen, [(0.0, 0.72), (0.28, 0.3), (0.55, 0.72)], (150, 168, 192))
    _shape(pen, [(0.2, 0.42), (0.28, 0.3), (0.36, 0.42)], (246, 249, 252))
    _shape(pen, [(0.4, 0.72), (0.74, 0.38), (1.05, 0.72)], (132, 152, 178))
    _ground(pen, 0.7, (240, 245, 250))
    for _ in range(70):
        _disc(pen, chance.random(), chance.random(), 0.006, (255, 255, 255))


def _city(pen: Pen, chance: random.Random) -> None:
    _disc(pen, 0.78, 0.16, 0.06, (240, 236, 210))
    for number in range(9):
        left, top = number / 9, chance.uniform(0.25, 0.55)
        _shape(pen, [(left, 0.8), (left, top), (left + 0.1, top), (left + 0.1, 0.8)], (34, 38, 66))
        for window in range(8):
            x, y = left + 0.02 + window % 2 * 0.04, top + 0.04 + window // 2 * 0.06
            if chance.random() < 0.6:
                _shape(
                    pen,
                    [(x, y), (x + 0.02, y), (x + 0.02, y + 0.03), (x, y + 0.03)],
                    (250, 214, 120),
                )
    _ground(pen, 0.78, (58, 60, 78))


def _desert(pen: Pen, chance: random.Random) -> None:
    _disc(pen, 0.5, 0.3, 0.1, (255, 226, 150))
    _disc(pen, 0.15, 1.15, 0.5, (214, 158, 92))
    _disc(pen, 0.95, 1.2, 0.6, (226, 172, 104))
    _ground(pen, 0.8, (220, 166, 98))
    for x in (0.14, 0.86):
        _shape(
            pen,
            [(x - 0.02, 0.84), (x - 0.02, 0.56), (x + 0.02, 0.56), (x + 0.02, 0.84)],
            (74, 130, 84),
        )
        _shape(
            pen,
            [
                (x, 0.7),
                (x + 0.07, 0.7),
                (x + 0.07, 0.62),
                (x + 0.05, 0.62),
                (x + 0.05, 0.67),
                (x, 0.67),
            ],
            (74, 130, 84),
        )


def _forest(pen: Pen, chance: random.Random) -> None:
    _ground(pen, 0.74, (74, 106, 62))
    for number in range(9):
        x, top = number / 8, chance.uniform(0.1, 0.3)
        _shape(
            pen,
            [(x - 0.012, 0.8), (x - 0.012, 0.6), (x + 0.012, 0.6), (x + 0.012, 0.8)],
            (92, 68, 48),
        )
        green = (34 + number * 3, 92 + number * 4, 60)
        for step in range(3):
            low = top + 0.22 + step * 0.14
            _shape(
                pen,
                [
                    (x - 0.06 - step * 0.02, low),
                    (x, top + step * 0.13),
                    (x + 0.06 + step * 0.02, low),
                ],
                green,
            )


def _space(pen: Pen, chance: random.Random) -> None:
    for _ in range(120):
        _disc(
            pen,
            chance.random(),
            chance.uniform(0, 0.8),
            chance.uniform(0.001, 0.004),
            (255, 255, 255),
        )
    _disc(pen, 0.24, 0.24, 0.12, (206, 122, 92))
    _shape(pen, [(0.04, 0.28), (0.44, 0.18), (0.44, 0.2), (0.04, 0.31)], (236, 196, 150))
    _disc(pen, 0.5, 1.9, 1.12, (150, 152, 162))
    for _ in range(9):
        _disc(pen, chance.random(), chance.uniform(0.88, 0.99), 0.02, (128, 130, 140))


def _sea(pen: Pen, chance: random.Random) -> None:
    _ground(pen, 0.82, (196, 180, 132))
    for number in range(8):
        x = number / 8 + 0.04
        _shape(
            pen,
            [(x - 0.015, 0.9), (x + 0.02, 0.9), (x + chance.uniform(-0.04, 0.04), 0.6)],
            (40, 132, 104),
        )
    for _ in range(16):
        _disc(
            pen,
            chance.random(),
            chance.uniform(0.05, 0.7),
            chance.uniform(0.006, 0.018),
            (150, 214, 230),
        )
    for y in (0.2, 0.4):
        _disc(pen, 0.18, y, 0.035, (250, 172, 84))
        _shape(pen, [(0.2, y), (0.26, y - 0.03), (0.26, y + 0.03)], (250, 172, 84))


def _room(pen: Pen, chance: random.Random) -> None:
    _ground(pen, 0.76, (168, 124, 86))
    _shape(pen, [(0.62, 0.14), (0.92, 0.14), (0.92, 0.46), (0.62, 0.46)], (250, 250, 246))
    _shape(pen, [(0.64, 0.16), (0.9, 0.16), (0.9, 0.44), (0.64, 0.44)], (150, 206, 240))
    _shape(pen, [(0.06, 0.3), (0.3, 0.3), (0.3, 0.76), (0.06, 0.76)], (124, 88, 60))
    for shelf in range(3):
        for number in range(6):
            x, y = 0.08 + number * 0.035, 0.42 + shelf * 0.14
            tint = (chance.randint(90, 230), chance.randint(80, 190), chance.randint(80, 190))
            _shape(pen, [(x, y), (x, y - 0.09), (x + 0.025, y - 0.09), (x + 0.025, y)], tint)


def _rain(pen: Pen, chance: random.Random) -> None:
    for x in (0.2, 0.42, 0.7):
        _disc(pen, x, 0.16, 0.12, (110, 120, 134))
    _ground(pen, 0.76, (92, 100, 112))
    _shape(pen, [(0.1, 0.92), (0.42, 0.92), (0.36, 0.95), (0.14, 0.95)], (134, 150, 168))
    for _ in range(90):
        x, y = chance.random(), chance.uniform(0.2, 1)
        _shape(
            pen,
            [(x, y), (x + 0.003, y), (x - 0.007, y + 0.04), (x - 0.01, y + 0.04)],
            (178, 196, 214),
        )


def _evening(pen: Pen, chance: random.Random) -> None:
    _disc(pen, 0.5, 0.6, 0.16, (255, 214, 130))
    _shape(pen, [(0.0, 0.74), (0.0, 0.5), (0.3, 0.36), (0.62, 0.74)], (112, 70, 96))
    _shape(pen, [(0.4, 0.74), (0.8, 0.42), (1.0, 0.56), (1.0, 0.74)], (92, 58, 86))
    _ground(pen, 0.72, (70, 48, 70))


def _wall(pen: Pen, chance: random.Random) -> None:
    _ground(pen, 0.84, (206, 208, 214))


SCENES = (
    Scene(
        "a small robot standing in a green meadow with white flowers, sunny day",
        ((120, 184, 236), (206, 232, 246)),
        _meadow,
    ),
    Scene(
        "a small robot waving on a sandy beach, palm tree, blue sea",
        ((96, 178, 232), (210, 238, 248)),
        _beach,
        x=0.42,
        waves="left",
    ),
    Scene(
        "a small robot in deep snow, mountains in the background, snowflakes",
        ((150, 182, 214), (224, 234, 244)),
        _snow,
        x=0.6,
    ),
    Scene(
        "a small robot in a city at night, lit windows, full moon",
        ((16, 20, 44), (56, 50, 96)),
        _city,
        waves="right",
    ),
    Scene(
        "a small robot between two cactuses in a desert, low sun",
        ((244, 166, 92), (252, 220, 158)),
        _desert,
        tall=0.52,
    ),
    Scene(
        "a small robot in a dark forest of fir trees",
        ((120, 160, 150), (190, 212, 190)),
        _forest,
        x=0.45,
        tall=0.66,
    ),
    Scene(
        "a small robot waving on the moon, stars and a planet with a ring",
        ((8, 10, 26), (30, 30, 62)),
        _space,
        waves="right",
        tall=0.55,
    ),
    Scene(
        "a small robot under water between seaweed and orange fish, bubbles",
        ((20, 110, 160), (12, 58, 104)),
        _sea,
        x=0.56,
    ),
    Scene(
        "a small robot in a living room with a bookshelf and a window",
        ((232, 222, 204), (222, 208, 186)),
        _room,
        x=0.52,
        waves="left",
    ),
    Scene(
        "a small robot standing in the rain, grey clouds, a puddle",
        ((128, 138, 152), (170, 178, 188)),
        _rain,
        tall=0.64,
    ),
    Scene(
        "a small robot in front of mountains at sunset",
        ((236, 120, 92), (252, 198, 130)),
        _evening,
        x=0.4,
        waves="right",
    ),
    Scene(
        "a close-up of a small robot, plain white background",
        ((240, 242, 246), (250, 250, 252)),
        _wall,
        tall=0.84,
        ground=0.94,
    ),
)
"""One picture each, in this order."""
