"""Folders of small pictures with captions, as datasets."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from PIL import Image

from app.datasets import library, scanning
from app.models import Dataset


def picture(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """A picture that no other seed resembles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_drawn(path.suffix, size, seed))
    return path


@cache
def _drawn(suffix: str, size: tuple[int, int], seed: int) -> bytes:
    numbers = random.Random(seed)
    small = Image.new("RGB", (8, 8))
    small.putdata([tuple(numbers.randrange(256) for _ in range(3)) for _ in range(64)])
    return _saved(small.resize(size, Image.Resampling.BICUBIC), suffix)


@cache
def _plain(red: int) -> bytes:
    return _saved(Image.new("RGB", (64, 64), (red, 0, 0)), ".png")


def _saved(image: Image.Image, suffix: str) -> bytes:
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[suffix.lower()])
    return file.getvalue()


def folder(path: Path, count: int = 4, caption: str | None = "a shape") -> Path:
    """A folder of plain pictures, each with this caption, as a form or a spec names one."""
    path.mkdir(parents=True)
    for index in range(count):
        (path / f"{index}.png").write_bytes(_plain(index * 40))
        if caption is not None:
            (path / f"{index}.txt").write_text(caption, "utf-8")
    return path


def dataset(folder: Path, captions: Mapping[str, str | None]) -> Dataset:
    """A scanned dataset of pictures with these captions; None is a picture without a file."""
    for seed, (name, caption) in enumerate(captions.items()):
        path = picture(folder / name, seed=seed)
        if caption is not None:
            path.with_suffix(".txt").write_text(caption, "utf-8")
    found = library.register(folder)
    scanning.scan(found)
    return found
