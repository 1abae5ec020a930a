"""Turns, crops, converts and removes pictures, each as an edit that can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from app import pillow
from app.datasets import editing
from app.datasets.pixels import QUALITY, flat, to_rgb
from app.datasets.seeing import in_words, is_full
from app.datasets.steps import Step
from app.db import db
from app.errors import UserError
from app.models import Dataset, DatasetEdit, DatasetItem

if TYPE_CHECKING:
    from PIL import Image

DISK_FULL = "The disk is full. Nothing was changed. Free some, then try again."
_TURNS = {"left": "ROTATE_90", "right": "ROTATE_270"}
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}
_WORDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": QUALITY, "subsampling": 0}, "WEBP": {"quality": QUALITY}
}  # fmt: skip


class Box(NamedTuple):
    """A rectangle in pixels of the picture as it is seen."""

    left: int
    top: int
    width: int
    height: int


def turn(dataset: Dataset, item: DatasetItem, way: str) -> DatasetEdit:
    """A quarter turn to the left or right."""
    if way not in _TURNS:
        raise UserError("A picture is turned left or right.")
    return redraw(
        dataset, [item], "turn", f"{item.name} turned {way}",
        lambda image: image.transpose(pillow.Image.Transpose[_TURNS[way]]),
    )  # fmt: skip


def crop(dataset: Dataset, item: DatasetItem, box: Box) -> DatasetEdit:
    """Keep a rectangle. Raises UserError where it does not lie in the picture."""

    def cut(image: Image.Image) -> Image.Image:
        right, bottom = box.left + box.width, box.top + box.height
        if box.width < 1 or box.height < 1:
            raise UserError("The rectangle needs a width and a height of at least 1 pixel.")
        if min(box.left, box.top) < 0 or right > image.width or bottom > image.height:
            raise UserError(
                f"The rectangle from {box.left},{box.top} to {right},{bottom} does not lie inside "
                f"the picture, which has {image.width}x{image.height} px."
            )
        return image.crop((box.left, box.top, right, bottom))

    summary = f"{item.name} cropped to {box.width}x{box.height}"
    return redraw(dataset, [item], "crop", summary, cut)


def redraw(
    dataset: Dataset,
    items: Sequence[DatasetItem],
    kind: str,
    summary: str,
    draw: Callable[[Image.Image], Image.Image],
    *,
    ending: Callable[[DatasetItem], str] | None = None,
) -> DatasetEdit:  # fmt: skip
    """Draw pictures anew, upright as they are seen, under the same stem.

    ``ending`` gives another format. A JPEG or WebP is compressed once more; its original is kept.
    """

    def build(folder: Path, new: Path) -> list[Step]:
        steps = []
        for item in items:
            name = PurePosixPath(item.name)
            becomes = str(name.with_suffix(ending(item))) if ending else item.name
            target = new / becomes
            target.parent.mkdir(parents=True, exist_ok=True)
            _draw(folder / item.name, target, draw)
            steps.append(Step.made_from(item.name, new, target, item=item.id))
        return steps

    edit = editing.prepare(dataset, kind, summary, build)
    return editing.carry_out(dataset, edit)


def remove(dataset: Dataset, items: Sequence[DatasetItem], kind: str, summary: str) -> DatasetEdit:
    """Move pictures with their captions to the trash of the dataset."""
    others = select(DatasetItem.caption_name).where(
        DatasetItem.dataset_id == dataset.id,
        DatasetItem.trashed == "",
        DatasetItem.caption_name.in_([item.caption_name for item in items if item.caption_name]),
        DatasetItem.id.not_in([item.id for item in items]),
    )
    # a.png and a.jpg share a.txt: it stays while one of them does.
    shared = set(db.session.scalars(others))
    steps = [step for item in items for step in _removal(item, shared)]
    return editing.make(dataset, kind, summary, steps)


def _removal(item: DatasetItem, shared: set[str]) -> Iterable[Step]:
    yield Step(item.name, item.id, file=True)
    if item.caption_name and item.caption_name not in shared:
        yield Step(item.caption_name, 0, file=True)


def _draw(source: Path, target: Path, draw: Callable[[Image.Image], Image.Image]) -> None:
    try:
        with pillow.Image.open(source) as image:
            upright = pillow.ImageOps.exif_transpose(image)
            made = draw(upright)
            form = _WRITABLE[target.suffix.lower()]
            if made.mode == "CMYK":
                made = to_rgb(made)  # its profile would not fit what is written
            elif form == "JPEG" and made.mode not in ("RGB", "L"):
                made = flat(made)
            words = _keep(made) | _WORDS.get(form, {})
            made.save(target, form, **words)
    except pillow.read_errors() as error:
        if is_full(error):
            raise UserError(DISK_FULL) from error
        raise UserError(
            f"{source.name} cannot be read: {in_words(error, source, source.name)}."
        ) from error


def _keep(image: Image.Image) -> dict[str, Any]:
    profile = image.info.get("icc_profile")
    return {"icc_profile": profile} if profile else {}
