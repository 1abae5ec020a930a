"""All screenshots at a glance, and the page that leads to each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

COLUMNS, WIDE, TALL, GAP, LINE = 5, 320, 240, 14, 18
BACKS = {"light": ((226, 229, 233), (30, 34, 40)), "dark": ((44, 48, 54), (226, 229, 233))}
HEAD = """# Screenshots

Every page at {widths} px in both themes, drawn by `./scripts/screenshots.sh` from the running
program. Written by that script: do not edit. The trainer, the card, the Hub and Vast's API behind the pages are
stand-ins, and the dog is drawn by a script; speeds, prices and losses are therefore no measurements.
Long pages are cut off.

![All pages, light](contact-light.webp)

![All pages, dark](contact-dark.webp)
"""


def write(folder: Path, names: Sequence[str], widths: Sequence[int], themes: Sequence[str]) -> None:
    """One sheet a theme and the index, of what is in the folder."""
    for theme in themes:
        tiles = [(name, folder / f"{name}-{widths[1]}-{theme}.webp") for name in names]
        _sheet([tile for tile in tiles if tile[1].exists()], theme).save(
            folder / f"contact-{theme}.webp", quality=60, method=4
        )
    told = [HEAD.format(widths=", ".join(map(str, widths[:-1])) + f" and {widths[-1]}")]
    told.append("| page | " + " | ".join(f"{w} px" for w in widths) + " |")
    told.append("| --- |" + " --- |" * len(widths))
    for name in names:
        cells = [
            ", ".join(
                f"[{theme}]({name}-{width}-{theme}.webp)"
                for theme in themes
                if (folder / f"{name}-{width}-{theme}.webp").exists()
            )
            for width in widths
        ]
        told.append(f"| {name.replace('-', ' ')} | " + " | ".join(cells) + " |")
    (folder / "README.md").write_text("\n".join(told) + "\n")


def _sheet(tiles: Sequence[tuple[str, Path]], theme: str) -> Image.Image:
    back, ink = BACKS[theme]
    rows = math.ceil(len(tiles) / COLUMNS)
    step = (WIDE + GAP, TALL + GAP + LINE)
    sheet = Image.new("RGB", (COLUMNS * step[0] + GAP, rows * step[1] + GAP), back)
    draw = ImageDraw.Draw(sheet)
    for number, (name, file) in enumerate(tiles):
        left, top = GAP + number % COLUMNS * step[0], GAP + number // COLUMNS * step[1]
        draw.text((left, top), name.replace("-", " "), fill=ink)
        with Image.open(file) as picture:
            cut = picture.crop((0, 0, picture.width, min(picture.height, picture.width * 3 // 4)))
            small = cut.resize((WIDE, round(cut.height * WIDE / cut.width)))
        sheet.paste(small, (left, top + LINE))
    return sheet
