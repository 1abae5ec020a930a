"""The health report of a dataset: what stops a run, what harms it, what is worth knowing.

Drawn from the rows and one listing of the folder, so it is quick; what only reading a picture whole
can tell is in the rows once the report has run (``examining``).
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select

from app import tasks
from app.datasets import library
from app.datasets.bulk import holds
from app.datasets.grid import EXTREME
from app.datasets.scanning import CAPTION_ENDINGS
from app.datasets.walking import File, walk
from app.db import db
from app.models import Dataset, DatasetItem, Task

Severity = Literal["stops", "harms", "note"]
REPORT = "dataset.report"
_UNREAD_ENDINGS = frozenset({".avif", ".heic", ".heif", ".gif", ".tif", ".tiff", ".jxl"})


@dataclass(frozen=True)
class Finding:
    """One thing that was found. ``names`` are all files it is about, in order; ``told`` says more
    of each, where there is more to say.

    ``fix`` is a key of ``fixing.FIXES`` where it can be put right by a click; ``show`` a filter of
    the grid that shows them.
    """

    key: str
    severity: Severity
    title: str
    why: str
    names: tuple[str, ...]
    fix: str = ""
    show: str = ""
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Health:
    """``unexamined`` pictures were not read whole since they changed."""

    findings: tuple[Finding, ...]
    pictures: int
    unexamined: int

    def count(self, severity: Severity) -> int:
        """How many findings of it."""
        return sum(finding.severity == severity for finding in self.findings)


def examine(dataset: Dataset, resolution: int) -> Health:
    """What is known now. Raises OSError if the folder cannot be listed."""
    item = DatasetItem
    columns = (
        item.id, item.name, item.kind, item.width, item.height, item.problem, item.caption,
        item.caption_name, item.sha256, item.transparent, item.turned, item.traits, item.twin,
    )  # fmt: skip
    query = select(*columns).where(item.dataset_id == dataset.id, item.trashed == "")
    rows = db.session.execute(query.order_by(item.name)).all()
    listing = walk(library.folder(dataset), recursive=True)
    seen = _Seen(dataset, resolution, rows, listing.files, listing.unnamed)
    found = [finding for look in _LOOKS for finding in look(seen) if finding.names]
    order = {"stops": 0, "harms": 1, "note": 2}
    found.sort(key=lambda finding: order[finding.severity])
    unexamined = sum(1 for row in rows if not row.sha256)
    return Health(tuple(found), len(rows), unexamined)


def start(dataset: Dataset) -> Task:
    """Have every picture read that was not read whole since it changed, unless that is going on."""
    subject = f"dataset:{dataset.id}"
    running = tasks.latest(subject, REPORT)
    if running is not None and not running.is_final:
        return running
    return tasks.start(REPORT, subject, {"dataset": dataset.id})


@dataclass(frozen=True)
class _Seen:
    dataset: Dataset
    resolution: int
    rows: Sequence[Any]
    files: Sequence[File]
    unnamed: tuple[str, ...]

    def names(self, test: Callable[[Any], bool]) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if test(row))

    def captions(self, test: Callable[[Any], Any]) -> tuple[str, ...]:
        """Names of their files, each once: pictures of one stem share theirs."""
        return tuple(dict.fromkeys(row.caption_name for row in self.rows if test(row)))


def _readable(seen: _Seen) -> Iterator[Finding]:
    yield Finding(
        "unreadable", "stops", "Pictures that cannot be read",
        "A broken or torn picture ends a whole run of kohya_ss while it caches.",
        seen.names(lambda row: row.problem),
        told=tuple(f"{row.name}: {row.problem}" for row in seen.rows if row.problem),
        fix="remove_unreadable", show="unreadable",
    )  # fmt: skip


def _captions(seen: _Seen) -> Iterator[Finding]:
    yield Finding(
        "empty", "stops", "Empty caption files", "Each one ends a whole run of kohya_ss.",
        seen.captions(lambda row: row.caption is not None and not row.caption.strip()),
        fix="delete_empty", show="empty",
    )  # fmt: skip
    yield Finding(
        "encoding", "stops", "Captions that are not UTF-8 text", "Both engines stop at such a file.",
        seen.captions(lambda row: "\ufffd" in (row.caption or "")),
        fix="reencode",
    )  # fmt: skip
    yield Finding(
        "missing", "harms", "No caption",
        "ai-toolkit trains these on an empty text, kohya_ss on the trigger word or nothing.",
        seen.names(lambda row: row.caption is None), show="no-caption",
    )  # fmt: skip
    word = seen.dataset.trigger_word.strip()
    if word:
        yield Finding(
            "trigger", "note", f"Captions without the trigger word “{word}”",
            "A job with this trigger word puts it in front of them; training elsewhere, they lack it.",
            seen.names(lambda row: bool(row.caption and row.caption.strip())
                       and not holds(row.caption, word)),
            fix="trigger", show="no-trigger",
        )  # fmt: skip
    yield Finding(
        "ending", "harms", "Captions with another ending",
        f"This dataset is set to {seen.dataset.caption_extension}; an engine reads one ending only.",
        seen.captions(lambda row: row.caption_name
                      and not row.caption_name.endswith(seen.dataset.caption_extension)),
        fix="own_ending",
    )  # fmt: skip


def _endings(seen: _Seen) -> Iterator[Finding]:
    odd = [row.name for row in seen.rows if _is_mixed(os.path.splitext(row.name)[1])]
    own = seen.dataset.caption_extension
    odd += [f.name for f in seen.files if f.ending != own and f.ending.lower() == own]
    yield Finding(
        "case", "harms", "Endings in a case that is passed over",
        "kohya_ss skips a picture such as .Png in silence, and both miss a caption such as .TXT.",
        tuple(odd), fix="lower_endings",
    )  # fmt: skip
    yield Finding(
        "upper", "note", "Endings in upper case",
        "Both engines read them here; other tools may not.",
        seen.names(lambda row: (e := os.path.splitext(row.name)[1]) != e.lower() and e == e.upper()),
        fix="lower_endings",
    )  # fmt: skip
    names = tuple(f.name for f in seen.files if f.ending.lower() in _UNREAD_ENDINGS)
    yield Finding(
        "format", "harms", "Formats that the engines pass over",
        "They read .png, .jpg, .jpeg, .webp (kohya_ss also .bmp), and skip these in silence.", names,
        fix="convert",
    )  # fmt: skip
    folded: dict[str, list[str]] = defaultdict(list)
    for file in seen.files:
        folded[file.name.casefold()].append(file.name)
    yield Finding(
        "clash", "harms", "Names that differ in case alone",
        "On Windows and macOS one of them overwrites the other.",
        tuple(name for names in folded.values() if len(names) > 1 for name in names),
        fix="part_names",
    )  # fmt: skip
    stems = Counter(os.path.splitext(row.name)[0] for row in seen.rows)
    yield Finding(
        "shared", "note", "Pictures that share one caption",
        "They have the same name with different endings.",
        seen.names(lambda row: stems[os.path.splitext(row.name)[0]] > 1),
    )  # fmt: skip


def _unnamed(seen: _Seen) -> Iterator[Finding]:
    yield Finding(
        "unnamed", "harms", "Names that are not UTF-8 text",
        "They are left out here, and a training may stop at them. Rename them where they lie.",
        seen.unnamed,
    )  # fmt: skip


def _is_mixed(ending: str) -> bool:
    return ending not in (ending.lower(), ending.upper())


def _orphans(seen: _Seen) -> Iterator[Finding]:
    stems = {os.path.splitext(row.name)[0] for row in seen.rows}
    endings = {seen.dataset.caption_extension, *CAPTION_ENDINGS}
    stems |= {f.stem for f in seen.files if f.ending.lower() in _UNREAD_ENDINGS}
    yield Finding(
        "orphans", "note", "Captions without a picture", "Nothing reads them.",
        tuple(f.name for f in seen.files if f.ending in endings and f.stem not in stems
              and f.stem.rpartition("/")[2] not in ("default", "README", "readme")),
        fix="remove_orphans",
    )  # fmt: skip


def _twins(seen: _Seen) -> Iterator[Finding]:
    sums = Counter(row.sha256 for row in seen.rows if len(row.sha256) > 1)
    first: dict[str, str] = {}
    for row in seen.rows:
        first.setdefault(row.sha256, row.name)
    again = [r for r in seen.rows if sums[r.sha256] > 1 and r.name != first[r.sha256]]
    yield Finding(
        "same", "harms", "The same file more than once", "It weighs double in the training.",
        tuple(row.name for row in again), fix="remove_duplicates", show="duplicates",
        told=tuple(f"{row.name}, the same as {first[row.sha256]}" for row in again),
    )  # fmt: skip
    members: dict[int, set[str]] = defaultdict(set)
    for row in seen.rows:
        if row.twin:
            members[row.twin].add(row.sha256)
    yield Finding(
        "near", "note", "Pictures that look almost the same",
        "Many of a kind teach that one picture. Keep the best.",
        seen.names(lambda row: len(members.get(row.twin, ())) > 1), show="duplicates",
    )  # fmt: skip


def _shapes(seen: _Seen) -> Iterator[Finding]:
    edge = seen.resolution
    yield Finding(
        "small", "harms", f"Smaller than {edge}×{edge} px in area",
        "They are trained small, or enlarged and soft.",
        seen.names(lambda row: bool(row.width and row.width * row.height < edge * edge)),
        show="small",
    )  # fmt: skip
    yield Finding(
        "extreme", "harms", f"More than {EXTREME:g} times as long as wide",
        "Few buckets are that long, so much may be cut off. Crop them yourself.",
        seen.names(lambda row: bool(
            row.width and max(row.width, row.height) > EXTREME * min(row.width, row.height))),
        show="extreme",
    )  # fmt: skip


def _pixels(seen: _Seen) -> Iterator[Finding]:
    def traits(*wanted: str) -> tuple[str, ...]:
        return seen.names(lambda row: any(word in row.traits.split() for word in wanted))

    yield Finding(
        "turned", "harms", "Turned by an EXIF tag only",
        "ai-toolkit turns them, kohya_ss trains them lying on their side.",
        seen.names(lambda row: row.turned), fix="turn",
    )  # fmt: skip
    yield Finding(
        "cmyk", "harms", "CMYK or 16-bit pixels",
        "The engines convert them bluntly: colours shift, 16 bits are cut off.",
        traits("cmyk", "16-bit"), fix="to_rgb",
    )  # fmt: skip
    yield Finding(
        "profile", "note", "A colour profile other than sRGB",
        "The engines drop the profile, so colours come out paler or stronger than you see them.",
        traits("profile"), fix="to_rgb",
    )  # fmt: skip
    yield Finding(
        "alpha", "note", "Transparent pixels",
        "Without alpha masks the engines fill them with whatever lies beneath, often black.",
        seen.names(lambda row: row.transparent), fix="to_rgb",
    )  # fmt: skip
    yield Finding("animated", "note", "Moving pictures", "Only the first picture is used.",
                  traits("animated"))  # fmt: skip


_LOOKS = (_readable, _captions, _endings, _unnamed, _orphans, _twins, _shapes, _pixels)
