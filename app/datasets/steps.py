"""One step of an edit: a caption rewritten, or a file replaced, renamed or put into the trash.

Each can be done again and taken back again after a cut at any line: what lies on disk says how far
it came.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.datasets import captions
from app.errors import UserError


@dataclass(frozen=True)
class Step:
    """``name`` is a path in the dataset, ``item`` the row that it belongs to.

    A caption: ``before`` and ``after`` are its texts. A file: ``file`` is True and ``becomes`` the
    name that it has afterwards, None for the trash; ``made`` is True where a new file, built in the
    trash, takes its place, with that file's ``stamp`` (size, time in nanoseconds).
    """

    name: str
    item: int = 0
    before: str | None = None
    after: str | None = None
    file: bool = False
    becomes: str | None = None
    made: bool = False
    stamp: tuple[int, int] | None = None

    @classmethod
    def made_from(cls, name: str, new: Path, made: Path, *, item: int = 0) -> Step:
        """The file ``made``, built below ``new``, takes the place of ``name``."""
        stat = made.stat()
        return cls(
            name, item, file=True, becomes=made.relative_to(new).as_posix(), made=True,
            stamp=(stat.st_size, stat.st_mtime_ns),
        )  # fmt: skip

    @classmethod
    def read(cls, words: dict[str, Any]) -> Step:
        """From its JSON."""
        stamp = words.get("stamp")
        return cls(**{**words, "stamp": tuple(stamp) if stamp else None})

    def written(self) -> dict[str, Any]:
        """As JSON keeps it, without what says nothing."""
        if not self.file:
            return {
                "name": self.name,
                "item": self.item,
                "before": self.before,
                "after": self.after,
            }
        words = {"name": self.name, "item": self.item, "file": True, "becomes": self.becomes}
        return words | ({"made": True, "stamp": self.stamp} if self.made else {})

    def reversed(self) -> Step:
        """As a step that goes the other way, for the rows."""
        if not self.file:
            return Step(self.name, self.item, self.after, self.before)
        return Step(self.becomes or "", self.item, file=True, becomes=self.name)


def redo(folder: Path, trash: Path, step: Step) -> bool:
    """Bring the files to what the step says; False where one was changed meanwhile."""
    if not step.file:
        return _rewrite(folder / step.name, step.before, step.after)
    here, kept = folder / step.name, trash / "old" / step.name
    if step.becomes is not None and not step.made:
        return _move(here, folder / step.becomes)
    new = trash / "new" / (step.becomes or "")
    if step.made and not new.is_file() and kept.exists():
        return True  # it was done before the cut
    if not kept.exists():
        if not here.exists():
            return False
        if step.becomes not in (None, step.name) and (folder / str(step.becomes)).exists():
            return False
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.rename(here, kept)
    if step.made:
        os.rename(new, folder / str(step.becomes))
    return True


def revert(folder: Path, trash: Path, step: Step) -> None:
    """Bring the files to what they were before the step."""
    if not step.file:
        _rewrite(folder / step.name, step.after, step.before)
        return
    here, kept = folder / step.name, trash / "old" / step.name
    if step.becomes is not None and not step.made:
        _move(folder / step.becomes, here)
        return
    if not kept.exists():
        return  # it was never done, or is undone already
    if step.made:
        made = folder / str(step.becomes)
        if made.exists():
            aside = trash / "new" / str(step.becomes)
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.rename(made, aside)
    here.parent.mkdir(parents=True, exist_ok=True)
    os.rename(kept, here)


def changed_since(folder: Path, trash: Path, step: Step) -> bool:
    """Whether somebody changed what the step left, so that undoing it would lose that."""
    here, kept = folder / step.name, trash / "old" / step.name
    if not step.file:
        try:
            return captions.read(here) not in (step.before, step.after)
        except UserError:
            return True
    if step.becomes is not None and not step.made:
        return (folder / step.becomes).exists() == here.exists() and step.becomes != step.name
    if not kept.exists():
        return False  # it was never done: the original stands in its place
    if step.becomes is None:
        return here.exists()
    made = folder / step.becomes
    return not made.exists() or not _same(made, step.stamp)


def _same(path: Path, stamp: tuple[int, int] | None) -> bool:
    stat = path.stat()
    return stamp is not None and (stat.st_size, stat.st_mtime_ns) == tuple(stamp)


def _rewrite(path: Path, before: str | None, after: str | None) -> bool:
    try:
        there = captions.read(path)
    except UserError:
        return False
    if there == after:
        return True
    if there != before:
        return False
    captions.write(path, after, durable=False)
    return True


def _move(source: Path, target: Path) -> bool:
    """Rename, never over another file; True also where it was done before."""
    if not source.exists():
        return target.exists()
    if target.exists() and not target.samefile(source):
        return False
    os.rename(source, target)
    return True
