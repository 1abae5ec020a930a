"""The library of what is on disk, as the last look found it: one file that pages read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from app.preferences import Preferences
from app.settings import Settings

FILE = ".library.json"
OLDER = "older revisions"
"""What of a repository can be deleted by itself, beside any one file."""


class ModelPreferences(Preferences):
    """Folders that a person added, beside DATA_DIR/models and the Hugging Face cache."""

    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One repository, folder or file. ``name`` is what a job writes into its base_model."""

    key: str
    source: str
    """cache, models (DATA_DIR/models) or folder (one that a person added)."""
    name: str
    path: str
    size: int
    used: float
    complete: bool
    kind: str = "unknown"
    label: str = ""
    families: tuple[str, ...] = ()
    precision: str = ""
    says: str = ""
    files: tuple[tuple[str, int], ...] = ()
    file_count: int = 0
    revisions: int = 1

    @property
    def is_base(self) -> bool:
        """Whether it may be offered as a base model."""
        return self.complete and self.kind in ("model", "unknown", "pickle")


@dataclass(frozen=True)
class Library:
    """What was found ``at`` a time; ``folders`` are those that a person added; ``notes`` what was left out."""

    at: float = 0.0
    entries: tuple[Entry, ...] = ()
    folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return sum(entry.size for entry in self.entries)

    def find(self, key: str) -> Entry | None:
        """The entry of that key."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def names_for(self, family: str) -> list[str]:
        """Names to offer for a family: what is known to fit, then what nobody could recognise."""
        fits = [e.name for e in self.entries if e.is_base and family in e.families]
        maybe = [
            e.name for e in self.entries if e.is_base and not e.families and e.kind == "unknown"
        ]
        return [*fits, *maybe]


def read(settings: Settings) -> Library:
    """The library as it was last written; an empty one before the first look."""
    try:
        data = json.loads((settings.models_dir / FILE).read_text("utf-8"))
        entries = tuple(_entry(item) for item in data["entries"])
        return Library(float(data["at"]), entries, tuple(data["folders"]), tuple(data["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Library()


def _entry(item: dict[str, Any]) -> Entry:
    files = tuple((str(name), int(size)) for name, size in item.pop("files", ()))
    return Entry(**{**item, "families": tuple(item.get("families", ())), "files": files})


def write(settings: Settings, library: Library) -> None:
    """Atomic; a second writer wins whole."""
    target = settings.models_dir / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{FILE}.{os.getpid()}.new")
    new.write_text(json.dumps(asdict(library), ensure_ascii=False), "utf-8")
    new.replace(target)
