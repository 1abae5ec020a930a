"""The pictures of the showcase: two datasets, and samples that get better with the steps."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

from tests.support.scenery import PLACES, Look, landscape, lighthouse, portrait

SIDE = 384
"""Of a sample. Large enough for the pages, and quick to draw."""
SHAPES = ((512, 512), (640, 512), (448, 576))


def datasets(folder: Path) -> None:
    """Twenty pictures of a dog, one without a caption and one twice; and eight landscapes."""
    dogs, style = folder / "ohwx dog", folder / "watercolour"
    dogs.mkdir(parents=True)
    style.mkdir()
    places = list(PLACES)
    for number in range(19):
        place = places[number % len(places)]
        if number % 5 == 3:
            picture, words = (
                portrait((512, 512), Look(1, number)),
                "close-up, looking at the camera",
            )
        else:
            picture = landscape(place, SHAPES[number % 3], Look(1, number + 20))
            words = f"sitting {place}"
        picture.save(dogs / f"dog {number:02}.jpg", quality=88)
        if number != 7:
            (dogs / f"dog {number:02}.txt").write_text(f"ohwx dog, {words}, photo")
    (dogs / "dog 19.jpg").write_bytes((dogs / "dog 05.jpg").read_bytes())
    (dogs / "dog 19.txt").write_text("ohwx dog, sitting on the moor, photo")
    for number in range(8):
        place = places[number % len(places)]
        landscape(place, (576, 448), Look(0.9, number), with_dog=False).save(
            style / f"{number}.jpg"
        )
        (style / f"{number}.txt").write_text(f"wtrclr, a landscape {place}")


@cache
def sample(prompt: int, learnt: float, seed: int) -> Image.Image:
    """One of the three prompts. The seed stays, as it does between the steps of a run."""
    look, size = Look(learnt, seed), (SIDE, SIDE)
    if prompt == 0:
        return landscape("at sunset", size, look)
    return portrait(size, look) if prompt == 1 else lighthouse(size, look)
