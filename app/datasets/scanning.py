"""Brings the rows of a dataset to what its folder holds now: a listing, and a look at what changed.

Cheap: a file whose time and size are known is not opened. A scan of a large folder runs as a task;
what it found so far is kept when it is killed. All functions need an application context.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import delete, func, insert, select, update

from app import tasks
from app.datasets import library, telling, thumbnails
from app.datasets.cached import scan_lock_of
from app.datasets.seeing import see_picture
from app.datasets.walking import File, walk
from app.db import db, in_passing
from app.models import Dataset, DatasetItem
from app.tasks import Work

KIND = "dataset.scan"
CAPTION_ENDINGS = (".txt", ".caption")
INLINE_FILES = 200
"""So many new or changed files are looked at within a request; more are left to a task."""
FRESH_SECONDS = 3.0
_BATCH = 250
_LONGEST_CAPTION = 1_000_000

Kind = Literal["image", "video", "sound"]
Tell = Callable[[int, int], None]


class Facts(NamedTuple):
    """What somebody saw already of a file of that size and time, as values of its row."""

    size: int
    mtime_ns: int
    values: dict[str, Any]

    def is_of(self, size: int, mtime_ns: int) -> bool:
        """Whether it is still the same file."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True)
class _Known:
    """What the row of a file says of it."""

    id: int
    size: int
    mtime_ns: int
    caption_name: str
    caption_mtime_ns: int
    trashed: str
    sha256: str

    def is_unread(self, name: str, seen: Mapping[str, Facts]) -> bool:
        """Whether somebody saw more of the file than the scan that wrote the row."""
        return not self.sha256 and name in seen


def kind_of(ending: str) -> Kind | None:
    """What a file of this ending holds, in any case; None for what is no part of a dataset."""
    ending = ending.lower()
    if ending in telling.IMAGE_ENDINGS:
        return "image"
    if ending in telling.VIDEO_ENDINGS:
        return "video"
    return "sound" if ending in telling.SOUND_ENDINGS else None


def refresh(dataset: Dataset) -> bool:
    """Bring the rows up to date for a page; whether they are. A large change becomes a task.

    A folder that was looked at a moment ago is not looked at again.
    """
    if dataset.scanned is not None and time.time() - dataset.scanned < FRESH_SECONDS:
        return True
    running = tasks.latest(f"dataset:{dataset.id}", KIND)
    if running is not None and not running.is_final:
        return False
    with in_passing():
        if scan(dataset, at_most=INLINE_FILES):
            return True
        start(dataset)
    return False


def start(dataset: Dataset) -> None:
    """Have it scanned by a task, unless one waits already."""
    subject = f"dataset:{dataset.id}"
    if not any(t.kind == KIND and t.state == "waiting" for t in tasks.active_of(subject)):
        tasks.start(KIND, subject, {"dataset": dataset.id})


def run(work: Work) -> dict[str, Any]:
    """The task ``dataset.scan``."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        scan(dataset, tell=lambda done, total: work.progress(done, total, unit="files"))
        # So much came at once that nobody should wait for its thumbnails page by page.
        thumbnails.start(dataset)
        return {"files": dataset.files}


def scan(
    dataset: Dataset,
    *,
    at_most: int | None = None,
    tell: Tell | None = None,
    seen: Mapping[str, Facts] | None = None,
) -> bool:
    """Compare the folder with the rows, and look at what is new or changed, less what was ``seen``.

    False, with nothing done, when more than ``at_most`` files would have to be opened, or when
    another scan of it runs. Raises UserError when the folder cannot be read.
    """
    with _alone(dataset, patient=at_most is None) as free:
        return free and _scan(dataset, at_most, tell, seen or {})


def _scan(
    dataset: Dataset, at_most: int | None, tell: Tell | None, seen: Mapping[str, Facts]
) -> bool:
    root = library.folder(dataset)
    try:
        listing = walk(root, recursive=True)
    except OSError as error:
        raise library.folder_lost(dataset, error) from error
    by_name = {file.name: file for file in listing.files}
    items = [(file, kind) for file in listing.files if (kind := kind_of(file.ending)) is not None]
    known = _known(dataset.id)
    todo = []
    for file, kind in items:
        caption = caption_of(file, by_name, dataset.caption_extension)
        row = known.get(file.name)
        if row is None or not _is_same(row, file, caption) or row.is_unread(file.name, seen):
            todo.append((file, kind, caption, row))
    if at_most is not None and len(todo) > at_most:
        return False
    there = {file.name for file, _ in items}
    gone = [row.id for name, row in known.items() if name not in there and not row.trashed]
    for begin in range(0, len(todo), _BATCH):
        _write(dataset.id, root, todo[begin : begin + _BATCH], seen)
        if tell is not None:
            tell(min(begin + _BATCH, len(todo)), len(todo))
    for begin in range(0, len(gone), _BATCH):
        db.session.execute(
            delete(DatasetItem).where(DatasetItem.id.in_(gone[begin : begin + _BATCH]))
        )
    _count(dataset, sum(file.size for file in listing.files), changed=bool(todo or gone))
    return True


def caption_of(file: File, by_name: dict[str, File], preferred: str) -> File | None:
    """The caption file beside it: of the dataset's own ending first, then of the usual ones."""
    for ending in (preferred, *CAPTION_ENDINGS):
        found = by_name.get(file.stem + ending)
        if found is not None:
            return found
    return None


def _is_same(row: _Known, file: File, caption: File | None) -> bool:
    told = (caption.name, caption.mtime_ns) if caption else ("", 0)
    return not row.trashed and (
        (row.size, row.mtime_ns, row.caption_name, row.caption_mtime_ns)
        == (file.size, file.mtime_ns, *told)
    )


def _known(dataset_id: int) -> dict[str, _Known]:
    item = DatasetItem
    rows = db.session.execute(
        select(item.name, item.id, item.size, item.mtime_ns, item.caption_name,
               item.caption_mtime_ns, item.trashed, item.sha256).where(item.dataset_id == dataset_id)
    )  # fmt: skip
    return {row[0]: _Known(*row[1:]) for row in rows}


def _write(dataset_id: int, root: Path, todo: list[Any], seen: Mapping[str, Facts]) -> None:
    """Look at some files and write their rows, in one transaction."""
    fresh, changed = [], []
    for file, kind, caption, row in todo:
        values = {"trashed": "", **_caption(root, caption)}
        is_new = row is None or (row.size, row.mtime_ns) != (file.size, file.mtime_ns)
        if is_new or row.is_unread(file.name, seen):
            values |= _facts(root, file, kind, seen.get(file.name))
        if row is None:
            fresh.append({"dataset_id": dataset_id, "name": file.name, "kind": kind, **values})
        else:
            changed.append((row.id, values))
    if fresh:
        db.session.execute(insert(DatasetItem), fresh)
    for row_id, values in changed:
        db.session.execute(update(DatasetItem).where(DatasetItem.id == row_id).values(**values))
    db.session.commit()


def _facts(root: Path, file: File, kind: Kind, known: Facts | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "size": file.size, "mtime_ns": file.mtime_ns, "width": None, "height": None,
        "format": file.ending.lstrip(".").upper(), "problem": "", "transparent": False,
        "turned": False, "phash": "", "sha256": "", "traits": "",
    }  # fmt: skip
    if known is not None and known.is_of(file.size, file.mtime_ns):
        return facts | known.values
    if kind != "image":
        return facts | ({"problem": "it is empty (0 bytes)"} if file.size == 0 else {})
    seen = see_picture(root, file, thorough=False)
    return facts | {
        "width": seen.width or None, "height": seen.height or None, "format": seen.format,
        "problem": seen.problem, "transparent": seen.transparent, "turned": seen.turned,
    }  # fmt: skip


def _caption(root: Path, file: File | None) -> dict[str, Any]:
    """The text as it is shown and searched: bytes that are no UTF-8 show as question marks."""
    if file is None:
        return {"caption": None, "caption_name": "", "caption_mtime_ns": 0}
    try:
        with (root / file.name).open("rb") as stream:
            text = stream.read(_LONGEST_CAPTION).decode("utf-8", "replace").replace("\0", "\ufffd")
    except OSError:
        return {"caption": None, "caption_name": "", "caption_mtime_ns": 0}
    return {"caption": text, "caption_name": file.name, "caption_mtime_ns": file.mtime_ns}


def _count(dataset: Dataset, size: int, *, changed: bool) -> None:
    item = DatasetItem
    mine = (item.dataset_id == dataset.id, item.trashed == "")
    kinds = dict(
        db.session.execute(select(item.kind, func.count()).where(*mine).group_by(item.kind)).all()
    )
    captioned = select(func.count()).where(*mine, item.caption.is_not(None))
    dataset.files = sum(kinds.values())
    dataset.images = kinds.get("image", 0)
    dataset.videos = kinds.get("video", 0)
    dataset.captions = db.session.scalar(captioned) or 0
    dataset.bytes = size
    dataset.scanned = time.time()
    dataset.version += changed
    db.session.commit()


@contextlib.contextmanager
def _alone(dataset: Dataset, *, patient: bool) -> Iterator[bool]:
    """One scan of a dataset at a time, among all processes; False: another one is at it."""
    place = scan_lock_of(library.settings(), dataset.id)
    place.parent.mkdir(exist_ok=True)
    with place.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
