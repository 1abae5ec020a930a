"""Gives each file that comes in its place: wrapping folders go, pairs stay pairs, nothing is overwritten."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.datasets.importing.captions import from_tables, read_text
from app.datasets.importing.findings import Findings
from app.datasets.importing.sorting import Entry
from app.datasets.scanning import caption_of, kind_of
from app.datasets.steps import Step
from app.datasets.walking import File, walk
from engines.folders import kohya_habit

_KOHYA_PARENTS = ("img", "image", "images")


@dataclass(frozen=True)
class Move:
    """A file of the staging folder and its name in the dataset. ``replaces``: a caption that is there."""

    path: Path
    name: str
    replaces: bool = False


def without_wrappers(entries: Sequence[Entry]) -> list[Entry]:
    """Drop the folders that all pictures share; ``10_name`` folders keep theirs, for they mean something."""
    names = [entry.name for entry in entries if entry.is_media]
    shed = ""
    while names and all("/" in name for name in names):
        tops = {name.partition("/")[0] for name in names}
        top = next(iter(tops))
        if len(tops) > 1 or kohya_habit(top):
            break
        shed += top + "/"
        names = [name.partition("/")[2] for name in names]
    entries = [replace(e, name=e.name.removeprefix(shed)) for e in entries] if shed else [*entries]
    for parent in _KOHYA_PARENTS:
        inside = [n for n in names if n.startswith(parent + "/")]
        rest = {n.partition("/")[0] for n in names} - {parent}
        if inside and rest <= {"reg"} and all(kohya_habit(n.split("/")[1]) for n in inside):
            return [replace(e, name=e.name.removeprefix(parent + "/")) for e in entries]
    return entries


class Arranger:
    """Collects the moves of one import. ``made`` holds the caption files that are written anew."""

    def __init__(self, root: Path, made: Path, ending: str, found: Findings) -> None:
        self._root, self._made, self._ending, self._found = root, made, ending, found
        self.moves: list[Move] = []
        self.replaced: dict[str, Step] = {}
        """Captions that were there, by the name of their file."""
        self._plain: set[Path] = set()
        """Caption files whose bytes can stay as they are."""
        self._moved: set[Path] = set()
        """A file moves once; another picture of its stem gets a copy."""
        listing = walk(root, recursive=True)
        self._files = {file.name: file for file in listing.files}
        self._taken = {name.casefold() for name in self._files}
        self._there = {f.stem: f for f in listing.files if kind_of(f.ending) is not None}

    def add(self, entries: Sequence[Entry]) -> None:
        """Place the files of one zip, or of one drop."""
        entries = without_wrappers(entries)
        media = sorted((e for e in entries if e.is_media), key=lambda e: e.name)
        texts = from_tables([e for e in entries if e.kind == "table"], media, self._found)
        captions = self._by_stem([e for e in entries if e.kind == "caption"], media)
        for entry in media:
            name = self._place(entry)
            caption = captions.get(entry.stem)
            text = texts.get(entry.name) if caption is None else self._text_of(caption)
            if text is not None:
                self._caption(name, text, caption)
        wanted = {entry.stem for entry in media}
        for stem, caption in captions.items():
            if stem in wanted:
                continue
            there = self._there.get(stem)
            text = self._text_of(caption) if there else None
            if there is None:
                self._found.leave_out(
                    caption.name, "there is no picture of that name for the caption"
                )
            elif text is not None:
                self._caption(there.name, text, caption)

    def _by_stem(self, captions: Sequence[Entry], media: Sequence[Entry]) -> dict[str, Entry]:
        """One caption for each stem; one that lies in a folder of captions is found by its bare name."""
        stems = {entry.stem for entry in media}
        bare: dict[str, list[str]] = {}
        for stem in stems:
            bare.setdefault(stem.rpartition("/")[2], []).append(stem)
        found: dict[str, Entry] = {}
        order = sorted(captions, key=lambda c: (c.ending != self._ending, c.ending, c.name))
        for caption in order:
            stem = caption.stem
            if stem not in stems:
                others = bare.get(stem.rpartition("/")[2], [])
                stem = others[0] if len(others) == 1 else stem
            if stem in found:
                self._found.leave_out(caption.name, "the picture has another caption file")
            else:
                found[stem] = caption
        return found

    def _text_of(self, caption: Entry) -> str | None:
        text, plain = read_text(caption.path)
        if plain:
            self._plain.add(caption.path)
        else:
            self._found.note(caption.name, "was no UTF-8 and is now")
        if not text.strip():
            self._found.leave_out(caption.name, "it is an empty caption, which ends a training")
            return None
        return text

    def _place(self, entry: Entry) -> str:
        """Its name in the dataset: its own, or the next free one; nothing moves if it is there already."""
        name = entry.name
        there = self._files.get(name)
        if there is not None and self._same(entry.path, there):
            self._found.counts["already"] += 1
            return name
        number = 2
        while name.casefold() in self._taken:
            name = f"{entry.stem} ({number}){entry.ending}"
            number += 1
        if number > 2:
            self._found.note(entry.name, "has a new name, since another file has its own")
        self._taken.add(name.casefold())
        self.moves.append(Move(entry.path, name))
        self._found.counts["added"] += 1
        return name

    def _same(self, path: Path, there: File) -> bool:
        return path.stat().st_size == there.size and filecmp.cmp(
            path, self._root / there.name, shallow=False
        )

    def _caption(self, picture: str, text: str, file_of_it: Entry | None) -> None:
        stem = picture.rpartition(".")[0]
        file = self._files.get(picture)
        old = caption_of(file, self._files, self._ending) if file is not None else None
        name = old.name if old is not None else stem + self._ending
        if old is not None:
            before, _ = read_text(self._root / old.name)
            # Two pictures of one stem share their caption: the first of them has its way.
            if old.name in self.replaced or before.strip() == text.strip():
                return
            self.replaced[old.name] = Step(old.name, before=before, after=text)
            self._found.counts["replaced"] += 1
        elif name.casefold() in self._taken:
            return  # another picture of the same stem brought it
        else:
            self._taken.add(name.casefold())
            self._found.counts["captions"] += 1
        own = file_of_it.path if file_of_it is not None else None
        if own in self._plain and own not in self._moved:
            written = own
            self._moved.add(written)
        else:
            written = self._made / "captions" / f"{len(self.moves)}{self._ending}"
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text, "utf-8", newline="")
        self.moves.append(Move(written, name, replaces=old is not None))
