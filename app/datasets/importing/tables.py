"""Takes pictures and their captions out of a parquet table, as files with one stem."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.datasets import captions, naming
from app.datasets.importing.captions import TEXT_KEYS
from app.datasets.importing.findings import Findings
from app.datasets.importing.looks import Arrived
from app.datasets.importing.parquet import MAGIC, Column, Table, TornError, Value
from app.datasets.importing.sorting import content_of
from app.datasets.threads import each
from app.datasets.walking import MOST_FILES
from app.errors import UserError

_PICTURES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "pixel_values")
_SAYS_CAPTION = ("caption", "prompt")
"""In names such as blip_caption or prompt_en."""
_RESERVE = 256 * 1024 * 1024
_SUSPICIOUS, _MOST_RATIO = 64 << 20, 50
"""Pictures are packed already: more than so many times the table is the same one again and again."""


@dataclass(frozen=True)
class _Wanted:
    """The columns of a picture's bytes, of the name of its file, and of its caption."""

    picture: Column
    name: Column | None
    text: Column | None

    @property
    def columns(self) -> list[Column]:
        return [column for column in (self.picture, self.name, self.text) if column is not None]


def is_table(head: bytes) -> bool:
    """Whether a file begins as a parquet table does."""
    return head.startswith(MAGIC)


def take_out(
    file: Path,
    target: Path,
    found: Findings,
    tell: Callable[[int, int], None],
    *,
    shown: str,
    arrived: Arrived,
) -> None:
    """Pictures and captions of a table into ``target``; what is there already is not written again.

    Raises UserError for what is no such table, or is torn; OSError where the disk is full.
    """
    try:
        with _told(shown), Table(file) as table:
            wanted = _wanted(table.columns, shown, found)
            _check(table, file, shown)
            most = max(_SUSPICIOUS, _MOST_RATIO * file.stat().st_size)
            rows = _bounded(_rows(table, wanted, found, shown), most, shown)
            _write(rows, target, lambda done: tell(done, table.rows), arrived)
    except UserError:
        # Nobody goes on from there, and it may be much.
        shutil.rmtree(target, ignore_errors=True)
        raise


@contextmanager
def _told(shown: str) -> Iterator[None]:
    try:
        yield
    except TornError as error:
        raise UserError(f"{shown} is no whole parquet table: {error}. Get it again.") from error


def _wanted(columns: Sequence[Column], shown: str, found: Findings) -> _Wanted:
    pictures = [c for c in columns if len(c.path) == 2 and c.path[1] == "bytes"]
    pictures += [
        c for c in columns if len(c.path) == 1 and not c.is_text and c.path[0] in _PICTURES
    ]
    picture = _first(pictures, _PICTURES)
    if picture is None:
        raise UserError(f"{shown} holds no pictures: none of its columns is one of pictures.")
    own = picture.path[0]
    for other in pictures:
        if other.path[0] != own:
            found.note(f"{shown}: {other.path[0]}", f"was left out; pictures are those of “{own}”")
    names = [c for c in columns if c.path in ((own, "path"), ("file_name",), ("__key__",))]
    texts = [
        c for c in columns if len(c.path) == 1 and c.is_text and _is_caption(c.path[0].lower())
    ]
    text = _first(texts, TEXT_KEYS)
    if text is None:
        found.note(
            shown, f"has no captions: no column is called {', '.join(TEXT_KEYS[:3])} or alike"
        )
    else:
        found.note(shown, f"has its captions in its column “{text.path[0]}”")
    return _Wanted(picture, names[0] if names else None, text)


def _is_caption(name: str) -> bool:
    return name in TEXT_KEYS or any(word in name for word in _SAYS_CAPTION)


def _first(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    """The one whose name comes first among ``names``; else the first."""
    rank = {name: number for number, name in enumerate(names)}
    return min(columns, key=lambda c: rank.get(c.path[0].lower(), len(rank)), default=None)


def _check(table: Table, file: Path, shown: str) -> None:
    if table.rows > MOST_FILES // 2:
        raise UserError(
            f"{shown} holds {table.rows} pictures; with captions {MOST_FILES // 2} are the most."
        )
    # Pictures are packed already: as files they take what the table takes.
    size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    if size + _RESERVE > free:
        raise UserError(
            f"{shown} unpacks to {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are free. "
            "Free some, then press Go on."
        )


@dataclass(frozen=True)
class _Row:
    stem: str
    picture: bytes
    text: str


def _bounded(rows: Iterator[_Row], most: int, shown: str) -> Iterator[_Row]:
    """The rows, as long as they are no more bytes than a table of pictures can hold."""
    total = 0
    for row in rows:
        total += len(row.picture) + len(row.text)
        if total > most:
            raise UserError(
                f"{shown} would grow to more than {most / 1e6:.0f} MB, many times its size. Tables of "
                "pictures do not; nothing was brought in."
            )
        yield row


def _write(
    rows: Iterator[_Row], target: Path, tell: Callable[[int], None], arrived: Arrived
) -> None:
    target.mkdir(exist_ok=True)

    def one(row: _Row) -> None:
        place = target / row.stem
        if row.text:
            place.with_name(f"{place.name}.txt").write_text(row.text, "utf-8", newline="")
        new = place.with_name(f"{place.name}.part")
        new.write_bytes(row.picture)
        place = place.with_name(place.name + (content_of(new)[1] or ".bin"))
        if place.is_file() and place.stat().st_size == len(row.picture):
            new.unlink()  # an earlier try has looked at it already
            return
        new.replace(place)
        arrived(place, row.picture)

    for done, _ in enumerate(each(one, rows), 1):
        tell(done)


def _rows(table: Table, wanted: _Wanted, found: Findings, shown: str) -> Iterator[_Row]:
    taken: set[str] = set()
    last = shown.rpartition("/")[2]
    own = last.rpartition(".")[0] or last
    for number, values in enumerate(table.read(wanted.columns)):
        told: dict[Column | None, Value] = dict(zip(wanted.columns, values, strict=True))
        picture = told[wanted.picture]
        if not isinstance(picture, bytes) or not picture:
            found.leave_out(f"row {number} of {shown}", "its picture is not in the table")
            continue
        name, text = (
            value if isinstance(value := told.get(column), str) else ""
            for column in (wanted.name, wanted.text)
        )
        stem = _stem(name, f"{own}-{number:05}", taken)
        taken.add(stem.casefold())
        if len(text) > captions.LONGEST:
            found.note(stem, f"has a caption of more than {captions.LONGEST} characters; left out")
            text = ""
        yield _Row(stem, picture, text.strip())


def _stem(name: str, own: str, taken: set[str]) -> str:
    """Of the file that it was, without its folders; else the table's own with the number of the row."""
    last = name.replace("\\", "/").rpartition("/")[2].lstrip(".")  # hidden files are left out
    stem = last.rpartition(".")[0] or last
    safe = naming.file_name(stem) if stem.strip(". ") else None
    if safe is None or safe.casefold() in taken:
        safe = f"{safe} {own}" if safe else own
    while safe.casefold() in taken:
        safe += "+"
    return safe
