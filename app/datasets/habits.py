"""Opens a kohya training folder: pictures lie in sub-folders named ``10_name``, none beside them."""

from __future__ import annotations

import os
from pathlib import Path

from app.datasets import telling
from engines.folders import kohya_habit

MOST_ENTRIES = 20_000
"""A folder with more entries than this is not looked through; it is taken as it is."""


def sub_folders(path: Path) -> tuple[Path, ...]:
    """The ``10_name`` folders in ``path``, if it holds such folders and no picture itself.

    Ends at the first picture, so that an ordinary dataset costs next to nothing.
    """
    found: list[Path] = []
    try:
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_ENTRIES or _is_picture(entry):
                    return ()
                if kohya_habit(entry.name) and entry.is_dir():
                    found.append(Path(entry.path))
    except (OSError, ValueError):
        return ()  # a folder that is missing or closed is told by the look into it
    return tuple(sorted(found))


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return os.path.splitext(entry.name)[1].lower() in telling.IMAGE_ENDINGS and entry.is_file()
