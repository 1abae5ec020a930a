"""Opens kohya training folders in a document: each ``10_name`` folder becomes a dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import datasets
from app.jobs import workspace
from app.settings import Settings
from engines.folders import with_repeats

_PLACE = re.compile(r"datasets\.(\d+)(\..*)?")


@dataclass(frozen=True)
class Opened:
    """A document with its kohya folders opened, and a sentence for each one.

    ``origin`` holds, for each dataset, the place of the one it came from.
    """

    document: dict[str, Any]
    notes: tuple[str, ...] = ()
    origin: tuple[int, ...] = ()

    def place_of(self, field: str) -> str:
        """A field of the opened document, as the document it was made from names it."""
        found = _PLACE.fullmatch(field)
        if found is None or int(found[1]) >= len(self.origin):
            return field
        return f"datasets.{self.origin[int(found[1])]}{found[2] or ''}"


def open_folders(document: Mapping[str, Any], settings: Settings) -> Opened:
    """Look into each dataset's folder, one level deep. What is no kohya folder stays as it is."""
    given = document.get("datasets")
    if not isinstance(given, list | tuple):
        return Opened(dict(document))
    found: list[Any] = []
    origin: list[int] = []
    notes: list[str] = []
    for place, dataset in enumerate(given):
        path = dataset.get("path") if isinstance(dataset, Mapping) else None
        inner = _inner(path, settings)
        if not inner:
            found.append(dataset)
            origin.append(place)
            continue
        found += [{**dataset, "path": str(folder)} for folder in inner]
        origin += [place] * len(inner)
        notes.append(
            f"{path} is a kohya training folder: {_named([f.name for f in inner])} "
            f"became {len(inner)} dataset{'s' if len(inner) > 1 else ''}, the numbers their repeats."
        )
    return Opened(with_repeats({**document, "datasets": found}), tuple(notes), tuple(origin))


def _inner(path: Any, settings: Settings) -> tuple[Path, ...]:
    if not isinstance(path, str) or not path.strip():
        return ()
    return datasets.sub_folders(workspace.dataset_path(settings, path))


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
