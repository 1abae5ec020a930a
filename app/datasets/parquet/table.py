"""One parquet file: its columns, and its rows of those that are asked for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.datasets.parquet.errors import TornError, UnsupportedError
from app.datasets.parquet.pages import Chunk, Value, values
from app.datasets.parquet.thrift import Reader

MAGIC = b"PAR1"
_MOST_FOOTER = 64 * 1024 * 1024
_BYTES = 6
_WORST = (
    IndexError, KeyError, TypeError, ValueError, OverflowError, StopIteration, RuntimeError,
    AttributeError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of bytes, by its ``path`` through nested fields. ``level``: how many of them may be
    missing; ``number`` is its place in each group of rows."""

    path: tuple[str, ...]
    is_text: bool
    level: int
    number: int


class Table:
    """An opened file. Raises TornError for what is no whole parquet file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        with _told():
            footer = _footer(file)
            schema: list[dict[int, Any]] = footer[2]
            self.columns = tuple(_columns(schema))
            self.rows = int(footer[3])
            self._groups: list[dict[int, Any]] = footer[4]
            if sum(group[3] for group in self._groups) != self.rows:
                raise TornError("its parts have another length than it says")

    def read(self, wanted: Sequence[Column]) -> Iterator[tuple[Value, ...]]:
        """Row after row. Raises TornError or UnsupportedError on the way."""
        with _told():
            for group in self._groups:
                chunks = [_chunk(group, column) for column in wanted]
                if any(chunk.count != group[3] for chunk in chunks):
                    raise TornError("a column has another length than its rows")
                # A handle of its own for each: they take turns.
                with _handles(self._file, len(chunks)) as files:
                    yield from zip(*map(values, files, chunks), strict=True)


def _footer(file: BinaryIO) -> dict[int, Any]:
    size = file.seek(0, 2)
    if size < 12:
        raise TornError("it is too short")
    file.seek(size - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic == b"PARE":
        raise UnsupportedError("encrypted")
    if magic != MAGIC or length + 12 > size or length > _MOST_FOOTER:
        raise TornError("it has no end")
    file.seek(size - 8 - length)
    return Reader(file.read(length)).struct()


def _columns(schema: list[dict[int, Any]]) -> Iterator[Column]:
    """The leaves of bytes that are in no list."""
    leaves = 0
    # The root counts for nothing.
    open_groups: list[tuple[int, tuple[str, ...], int, bool]] = [(schema[0][5], (), 0, False)]
    for element in schema[1:]:
        while open_groups and open_groups[-1][0] == 0:
            open_groups.pop()
        left, path, level, listed = open_groups.pop()
        open_groups.append((left - 1, path, level, listed))
        path = (*path, element[4].decode("utf-8", "replace"))
        listed = listed or element.get(3) == 2
        level += element.get(3) == 1
        if element.get(5):
            open_groups.append((element[5], path, level, listed))
            continue
        if element.get(1) == _BYTES and not listed:
            is_text = element.get(6) == 0 or 1 in element.get(10, {})
            yield Column(path, is_text, level, leaves)
        leaves += 1


def _chunk(group: dict[int, Any], column: Column) -> Chunk:
    about = group[1][column.number][3]
    if tuple(name.decode("utf-8", "replace") for name in about[3]) != column.path:
        raise TornError("its columns are in another order than it says")
    begin = min(place for place in (about.get(11), about[9]) if place)
    return Chunk(begin, about[5], about[4], column.level)


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a spoiled file leads to is told as one thing."""
    try:
        yield
    except _WORST as error:
        raise TornError(f"it is spoiled ({type(error).__name__})") from error


@contextmanager
def _handles(file: BinaryIO, count: int) -> Iterator[list[BinaryIO]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Path(file.name).open("rb")) for _ in range(count)]
