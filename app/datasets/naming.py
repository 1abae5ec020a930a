"""What a dataset and a file in it may be called: on every system, and never outside the folder."""

from __future__ import annotations

import re
import unicodedata

from app.errors import UserError
from app.text import is_text

LONGEST_NAME = 80
_LONGEST_BYTES = 200
"""Of one part of a file's name; file systems take 255, and caches are written beside with longer ones."""
_LONGEST_PATH = 1000
"""Bytes of a file's whole name: with the folder that it lies in, systems take 4096."""
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def dataset_name(text: str) -> str:
    """The name, normalised. Raises UserError with what is wrong with it."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise UserError("Give the dataset a name.")
    if not is_text(name):
        raise UserError("That name holds half a character. Type it anew.")
    if len(name) > LONGEST_NAME or len(name.encode()) > _LONGEST_BYTES:
        raise UserError(f"That name is too long; use at most {LONGEST_NAME} letters.")
    found = _FORBIDDEN.search(name)
    if found:
        raise UserError(f"A name cannot hold {found[0]!r}, since a folder bears it.")
    if name.startswith(".") or name.endswith("."):
        raise UserError("A name cannot begin or end with a dot, since a folder bears it.")
    if _DEVICES.fullmatch(name):
        raise UserError(f"{name} is the name of a device on Windows. Choose another one.")
    return name


def file_name(text: str) -> str | None:
    """A relative path with slashes that every system can hold; None if it leads elsewhere or is too long.

    Unicode is normalised, characters that Windows refuses become ``_``, device names get one.
    """
    text = unicodedata.normalize("NFC", text).replace("\\", "/")
    if text.startswith("/") or re.match(r"[A-Za-z]:", text):
        return None
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in text or not is_text(text):
        return None
    name = "/".join(_part(part) for part in parts)
    return name if len(name.encode()) <= _LONGEST_PATH else None


def _part(text: str) -> str:
    part = _FORBIDDEN.sub("_", text).rstrip(". ").lstrip(" ") or "_"
    if _DEVICES.fullmatch(part):
        part = re.sub(r"(\.|$)", r"_\1", part, count=1)
    stem, dot, ending = part.rpartition(".")
    if not stem or len(ending) > 16:
        stem, dot, ending = part, "", ""
    while len((stem + dot + ending).encode()) > _LONGEST_BYTES:
        stem = stem[:-1]
    return stem + dot + ending
