"""Takes pictures and their captions out of a parquet table, as image datasets of the Hub keep them.

In a task's process only: Arrow is large. Rows are read a few at a time, however large a table is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.datasets import naming
from app.datasets.importing.captions import TEXT_KEYS
from app.datasets.importing.findings import Findings
from app.datasets.walking import MOST_FILES
from app.errors import UserError

MAGIC = b"PAR1"
_PICTURES = ("image", "img", "picture", "photo", "jpg", "png", "webp")
_ROWS_AT_ONCE = 4
_RESERVE = 256 * 1024 * 1024


def take_out(
    table: Path, target: Path, found: Findings, tell: Callable[[int, int], None], *, shown: str
) -> None:
    """Each row's picture below ``target``, and its caption beside it; what is there stays.

    A picture keeps its own name where the row has one, else it is called after the table (``shown``)
    and its row. The ending may be wrong: sorting looks at the content.

    Raises UserError for what is no whole table, or too large for a dataset or for the disk; OSError
    where the disk is full.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(table, pre_buffer=False, buffer_size=1 << 20) as opened:
            picture, caption, others = _columns(opened.schema_arrow)
            if picture is None:
                found.leave_out(shown, "it is a table without a column of pictures")
                return
            if others:
                found.note(
                    f"{shown}: {', '.join(others)}", "is a column of pictures, too; left out"
                )
            found.note(
                shown, f"captions are from its column {caption}" if caption else "has no captions"
            )
            _check_room(opened.metadata, target, shown)
            columns = [name for name in (picture, caption) if name is not None]
            total = opened.metadata.num_rows
            batches = opened.iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False)
            rows = (row for batch in batches for row in batch.to_pylist())
            _write_all(_named(rows, picture, caption, shown, found), target, tell, total)
    except pa.ArrowException as error:
        raise _torn(shown, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _torn(shown, error) from error  # Arrow's own errors of a torn file


def _columns(schema: Any) -> tuple[str | None, str | None, list[str]]:
    """The column of pictures, the one of captions, and further ones of pictures."""
    from pyarrow import types

    def holds_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def is_picture(kind: Any) -> bool:
        if types.is_struct(kind):
            return any(part.name == "bytes" and holds_bytes(part.type) for part in kind)
        return holds_bytes(kind)

    def is_text(kind: Any) -> bool:
        if types.is_list(kind) or types.is_large_list(kind):
            kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind))

    pictures = _by_rank([field.name for field in schema if is_picture(field.type)], _PICTURES)
    texts = [field.name for field in schema if is_text(field.type)]
    captions = [
        name for name in _by_rank(texts, TEXT_KEYS) if _rank(name, TEXT_KEYS) < len(TEXT_KEYS)
    ]
    return next(iter(pictures), None), next(iter(captions), None), pictures[1:]


def _rank(name: str, known: tuple[str, ...]) -> int:
    """The known word that a name is or holds; past the last one where it holds none."""
    low = name.lower()
    exact = [at for at, word in enumerate(known) if low == word]
    return (
        exact[0]
        if exact
        else next((at for at, word in enumerate(known) if word in low), len(known))
    )


def _by_rank(names: list[str], known: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda name: (name.lower() not in known, _rank(name, known)))


def _check_room(about: Any, target: Path, shown: str) -> None:
    if about.num_rows > MOST_FILES:
        raise UserError(
            f"{shown} holds {about.num_rows} rows; {MOST_FILES} are the most for a dataset."
        )
    total = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
    free = shutil.disk_usage(target).free
    if total + _RESERVE > free:
        raise UserError(
            f"The pictures of {shown} need {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB of disk are "
            "free. Free some, then press Go on."
        )


def _named(
    rows: Iterator[dict[str, Any]], picture: str, caption: str | None, shown: str, found: Findings
) -> Iterator[tuple[str, bytes, str]]:
    """A relative name, the bytes and the caption of each row; without bytes there is nothing to write."""
    stem = shown.rpartition("/")[2].rpartition(".")[0] or shown
    taken: set[str] = set()
    for number, row in enumerate(rows):
        cell = row[picture]
        data, told = (
            (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        )
        own = f"{stem}-{number:06d}.png"
        name = naming.file_name(str(told)) if told else None
        if name is None or "." not in name or _stem(name) in taken:
            name = own
        taken.add(_stem(name))
        if not data:
            found.leave_out(name, "its row of the table holds no picture")
            data = b""
        text = row[caption] if caption is not None else ""
        text = next(iter(text), "") if isinstance(text, list) else text
        yield name, data, (text or "").strip()


def _stem(name: str) -> str:
    """By which a caption belongs to a picture."""
    return name.rpartition(".")[0].casefold()


def _write_all(
    pictures: Iterator[tuple[str, bytes, str]],
    target: Path,
    tell: Callable[[int, int], None],
    total: int,
) -> None:
    for done, (name, data, text) in enumerate(pictures, 1):
        if data:
            place = target / name
            if text:
                _write(place.with_suffix(".txt"), text.encode("utf-8"))
            _write(place, data)
        tell(done, total)


def _write(place: Path, data: bytes) -> None:
    """To a name that nobody takes for whole, then by rename."""
    if place.is_file() and place.stat().st_size == len(data):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(place.name + ".part")
    new.write_bytes(data)
    new.replace(place)


def _torn(shown: str, error: Exception) -> UserError:
    return UserError(
        f"{shown} is no whole parquet table: {str(error).splitlines()[0][:200]}. Upload or fetch it again."
    )
