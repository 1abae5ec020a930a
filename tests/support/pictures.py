"""Folders of small pictures with captions, as datasets."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from app.datasets import library, scanning
from app.models import Dataset


def picture(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """A picture that no other seed resembles."""
    numbers = random.Random(seed)
    small = Image.new("RGB", (8, 8))
    small.putdata([tuple(numbers.randrange(256) for _ in range(3)) for _ in range(64)])
    path.parent.mkdir(parents=True, exist_ok=True)
    small.resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def folder(path: Path, count: int = 4, caption: str | None = "a shape") -> Path:
    """A folder of plain pictures, each with this caption, as a form or a spec names one."""
    path.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (64, 64), (index * 40, 0, 0)).save(path / f"{index}.png")
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
