"""A native file line by line, each with the field of the form that made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import yaml

from engines import yamltext

_PROCESS = "config.process[0]."
_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*$")
_KEY = re.compile(r'^\s*"?([^"=\s]+)"?\s*=')
_LAST = re.compile(r"(\[\d+\]|\.?[^.\[\]]+)$")


@dataclass(frozen=True)
class Line:
    """One line of a file. ``field`` is the dotted canonical field it came from, or empty.

    ``kind`` is "field", "options" for what stands in the engine options, or "own" for what the
    platform sets by itself. ``first`` is False for further lines of the same field in a row.
    """

    text: str
    field: str = ""
    kind: Literal["field", "options", "own"] = "own"
    first: bool = True


def lines(name: str, text: str, sources: Mapping[str, str]) -> tuple[Line, ...]:
    """The lines of the file ``name``. ``sources`` maps "file:path.to.key" to canonical fields.

    A text that cannot be read as what its name says is shown without any fields.
    """
    own = {
        key.removeprefix(f"{name}:"): of
        for key, of in sources.items()
        if key.startswith(f"{name}:")
    }
    rows = text.rstrip("\n").split("\n")
    try:
        paths = _paths(name, text, rows)
    except yaml.YAMLError:
        paths = {}
    found: list[Line] = []
    for number, row in enumerate(rows):
        field = _field(paths.get(number, ""), own)
        if not field and name == "prompts.txt" and row.strip():
            field = "sampling.prompts"
        kind: Literal["field", "options", "own"] = "field" if field else "own"
        if field.startswith("engine_options"):
            kind = "options"
        first = not field or not found or found[-1].field != field
        found.append(Line(row, field, kind, first))
    return tuple(found)


def _paths(name: str, text: str, rows: list[str]) -> dict[int, str]:
    """The path of the key that each line belongs to, by line number from 0."""
    if name.endswith((".yaml", ".yml")):
        node = yaml.compose(text, Loader=yamltext.LOADER)
        return dict(_of_node(node, "")) if node is not None else {}
    if name.endswith(".toml"):
        return dict(_of_toml(rows))
    return {number: f"[{number}]" for number, _ in enumerate(rows)}


def _of_node(node: yaml.Node, path: str) -> Iterator[tuple[int, str]]:
    """Lines of a node, outer ones first, so that inner ones replace them."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            yield from ((line, inner) for line in _span(key.start_mark, value))
            yield from _of_node(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            inner = f"{path}[{number}]"
            yield from ((line, inner) for line in _span(value.start_mark, value))
            yield from _of_node(value, inner)


def _span(start: yaml.Mark, node: yaml.Node) -> range:
    """Lines of a node. A block ends at the start of what follows it."""
    end = node.end_mark
    last = end.line if isinstance(node, yaml.ScalarNode) or end.column else end.line - 1
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = max(start.line, end.line - 1)
    return range(start.line, max(start.line, last) + 1)


def _of_toml(rows: list[str]) -> Iterator[tuple[int, str]]:
    """Lines of a file as our own writer makes it: a key or a header on each."""
    table, counts = "", dict[str, int]()
    for number, row in enumerate(rows):
        header, key = _HEADER.match(row), _KEY.match(row)
        if header:
            table = _table_path(header[2].strip(), counts, is_list=header[1] == "[[")
            yield number, table
        elif key:
            yield number, f"{table}.{key[1]}" if table else key[1]


def _table_path(name: str, counts: dict[str, int], *, is_list: bool) -> str:
    """``datasets.subsets`` with the places of the lists it stands in: datasets[0].subsets[1]."""
    path = ""
    parts = name.split(".")
    for depth, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if depth == len(parts) - 1 and is_list:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = f"{path}[{counts[path]}]"
    return path


def _field(path: str, sources: Mapping[str, str]) -> str:
    """The field of a path, or of what it stands in."""
    here = path
    while here:
        for form in (here, here.removeprefix(_PROCESS)):
            if form in sources:
                return sources[form]
        here = _LAST.sub("", here)
    return ""
