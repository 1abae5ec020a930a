"""Lists the files of a dataset folder: bounded, and never twice around a link."""

from __future__ import annotations

import os
from dataclasses import dataclass
from os.path import splitext
from pathlib import Path
from typing import NamedTuple

from app.text import is_text, shown

MOST_FILES = 200_000
_CACHES = ("_latent_cache", "_t_e_cache", "_controls")
"""Folders that ai-toolkit makes beside the pictures."""


class File(NamedTuple):
    """One file: its path relative to the folder, time in nanoseconds, size in bytes.

    ``stem`` and ``ending`` are the two parts of the name.
    """

    name: str
    mtime_ns: int
    size: int
    stem: str
    ending: str


@dataclass(frozen=True)
class Listing:
    """Files in order of name, the names of folders at the top, and whether the bound was hit.

    ``unnamed`` are files and folders left out since their names are no text, as they can be shown.
    """

    files: tuple[File, ...]
    folders: tuple[str, ...]
    cut: bool = False
    unnamed: tuple[str, ...] = ()


def walk(root: Path, *, recursive: bool) -> Listing:
    """List ``root``. Hidden things and the engines' caches are left out, linked folders too."""
    files: list[File] = []
    folders: list[str] = []
    unnamed: list[str] = []
    todo, seen = [""], 0
    while todo:
        prefix = todo.pop()
        try:
            entries = sorted(os.scandir(root / prefix), key=lambda e: e.name)
        except OSError:
            if not prefix:
                raise
            continue  # gone or forbidden: the engine sees nothing there either
        for entry in entries:
            seen += 1
            if seen > MOST_FILES:
                return Listing(tuple(files), tuple(folders), True, tuple(unnamed))
            if entry.name.startswith((".", *_CACHES)):
                continue
            name = prefix + entry.name
            if not is_text(entry.name):
                unnamed.append(shown(name))
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders += [] if prefix else [entry.name]
                    todo += [name + "/"] if recursive else []
                elif entry.is_file():
                    stat = entry.stat()
                    files.append(File(name, stat.st_mtime_ns, stat.st_size, *splitext(name)))
            except OSError:
                continue  # vanished meanwhile
    return Listing(tuple(files), tuple(folders), unnamed=tuple(unnamed))
