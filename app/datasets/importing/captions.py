"""The texts of an import: caption files, and tables that name pictures and their texts."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.datasets import captions
from app.datasets.importing.findings import Findings
from app.datasets.importing.sorting import Entry
from app.text import shown

TEXT_KEYS = ("text", "caption", "prompt", "description", "txt", "tags")
_NAME_KEYS = ("file_name", "filename", "file", "image", "image_path", "path", "name")


def read_text(path: Path) -> tuple[str, bool]:
    """A caption's text, and whether its bytes are plain UTF-8 that can be taken as they are."""
    return captions.guess(path.read_bytes())


def from_tables(
    entries: Sequence[Entry], media: Sequence[Entry], found: Findings
) -> dict[str, str]:
    """Texts by the relative name of the picture they are for, from .json, .jsonl and .csv files."""
    by_name = {entry.name: entry.name for entry in media}
    for entry in media:
        # A table may name a picture without its ending, or without its folder.
        by_name.setdefault(entry.stem, entry.name)
    loose: dict[str, str] = {}
    for entry in media:
        loose.setdefault(entry.name.rpartition("/")[2], entry.name)
        loose.setdefault(entry.stem.rpartition("/")[2], entry.name)
    texts: dict[str, str] = {}
    for table in entries:
        matched = 0
        folder = table.name.rpartition("/")[0]
        for name, text in _rows(table, found):
            key = unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")
            below = f"{folder}/{key}" if folder else key
            last = key.rpartition("/")[2]
            target = (
                by_name.get(below) or by_name.get(key) or loose.get(last) or _changed(key, loose)
            )
            if target is not None and text.strip():
                texts.setdefault(target, shown(text.strip()))
                matched += 1
        if matched:
            found.note(table.name, "was read for captions")
        else:
            found.leave_out(table.name, "it names no picture of this import")
    return texts


def _changed(key: str, loose: dict[str, str]) -> str | None:
    """A picture that was converted, and so has another ending than the table says."""
    return loose.get(key.rpartition("/")[2].rpartition(".")[0])


def _rows(table: Entry, found: Findings) -> Iterator[tuple[str, str]]:
    """What can be read: a table that is cut, or spoiled in a row, gives those before it."""
    try:
        text, _ = read_text(table.path)
        if table.ending == ".csv":
            for row in _csv(text):
                yield from _pairs([row], table)
        elif table.ending == ".jsonl":
            # Not splitlines: a caption may hold the other characters that end a line.
            for line in filter(str.strip, text.split("\n")):
                yield from _pairs([json.loads(line)], table)
        else:
            yield from _pairs(json.loads(text), table)
    except (ValueError, csv.Error, RecursionError):
        found.note(table.name, "could not be read to its end")


def _csv(text: str) -> Iterator[dict[str, str]]:
    """Rows by the names of their columns, between commas, semicolons (Excel's in half of Europe) or tabs."""
    head = text.partition("\n")[0]
    between = max(",;\t", key=head.count)
    # As a file: a caption between quotes may hold ends of lines.
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=between)


def _pairs(document: Any, table: Entry) -> Iterator[tuple[str, str]]:
    """(name, text) of every usual shape: rows, a mapping by name, or the text of one picture."""
    if isinstance(document, list):
        for row in document:
            if isinstance(row, dict):
                name = next((row[key] for key in _NAME_KEYS if isinstance(row.get(key), str)), None)
                text = _text(row)
                if name and text:
                    yield name, text
    elif isinstance(document, dict):
        own = _text(document)
        if own:
            yield table.name.rpartition("/")[2].rpartition(".")[0], own
            return
        for name, value in document.items():
            text = value if isinstance(value, str) else _text(value)
            if text:
                yield str(name), text


def _text(row: Any) -> str:
    if not isinstance(row, dict):
        return ""
    for key in TEXT_KEYS:
        value = row.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return ", ".join(value)
    return ""
