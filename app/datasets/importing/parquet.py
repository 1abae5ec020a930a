"""One parquet file: its columns of texts and bytes, and its rows of those that are asked for.

In a task's process only: Arrow, which reads it, is large. A few rows are in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"PAR1"
_ROWS_AT_ONCE = 4
_BUFFER = 1 << 20

Value = str | bytes | None


class TornError(Exception):
    """It is cut, spoiled, encrypted, or no parquet file at all."""


@dataclass(frozen=True)
class Column:
    """A column by its ``path`` through nested fields. Of a list, such as one of captions, the first counts."""

    path: tuple[str, ...]
    is_text: bool


class Table(AbstractContextManager["Table"]):
    """A file that is open until the end of ``with``. Raises TornError for what is no whole table."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        with _told():
            self._file = ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        self.columns = tuple(_columns(self._file.schema_arrow))
        self.rows = int(self._file.metadata.num_rows)

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def read(self, wanted: Sequence[Column]) -> Iterator[tuple[Value, ...]]:
        """Row after row. Raises TornError on the way."""
        names = list(dict.fromkeys(column.path[0] for column in wanted))
        with _told():
            for batch in self._file.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
                for row in batch.to_pylist():
                    yield tuple(_at(row, column.path) for column in wanted)


def _columns(fields: Any, path: tuple[str, ...] = ()) -> Iterator[Column]:
    from pyarrow import types

    for field in fields:
        kind, here = field.type, (*path, field.name)
        if types.is_struct(kind):
            yield from _columns(kind, here)
            continue
        if types.is_list(kind) or types.is_large_list(kind):
            kind = kind.value_type
        if types.is_string(kind) or types.is_large_string(kind):
            yield Column(here, is_text=True)
        elif types.is_binary(kind) or types.is_large_binary(kind):
            yield Column(here, is_text=False)


def _at(row: Any, path: tuple[str, ...]) -> Value:
    for name in path:
        row = row and row[name]
    return (row[0] if row else None) if isinstance(row, list) else row


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a spoiled file leads to is told as one thing."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TornError(_first_line(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise TornError(_first_line(error)) from error  # Arrow's own of a torn file


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
