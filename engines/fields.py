"""Walks the field table of the spec: one row for each leaf, in form order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engines.spec import EngineName, JobSpec


@dataclass(frozen=True)
class Row:
    """One field: ``path`` is dotted, ``datasets[].repeats`` for a dataset's field.

    ``kind`` is text, integer, number, switch, choice, list or mapping; ``minimum`` and
    ``maximum`` are bounds (``open`` ones are excluded), ``native`` the engines' own names.
    """

    path: str
    section: str
    title: str
    help: str
    unit: str
    kind: str
    default: Any
    required: bool
    optional: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    native: Mapping[EngineName, str | None]


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, UnionType):
        left = [a for a in get_args(annotation) if a is not type(None)]
        return left[0], len(left) < len(get_args(annotation))
    return annotation, False


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice"
    if origin is tuple:
        return "list"
    if origin is dict:
        return "mapping"
    kinds = {bool: "switch", int: "integer", float: "number"}
    return kinds.get(annotation, "text")


def _bound(info: FieldInfo, *kinds: type) -> float | None:
    for item in info.metadata:
        for kind in kinds:
            if isinstance(item, kind):
                return float(getattr(item, kind.__name__.lower()))
    return None


def _row(prefix: str, section: str, name: str, info: FieldInfo) -> Row:
    annotation, optional = _without_none(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    native: Any = extra.get("native", {})
    default = info.get_default(call_default_factory=True)
    return Row(
        path=f"{prefix}{name}",
        section=section,
        title=info.title or name,
        help=info.description or "",
        unit=str(extra.get("unit", "")),
        kind=_kind(annotation),
        default=None if default is PydanticUndefined else default,
        required=info.is_required(),
        optional=optional,
        choices=tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else (),
        minimum=_bound(info, Ge, Gt),
        maximum=_bound(info, Le, Lt),
        native=native,
    )


def _walk(model: type[BaseModel], prefix: str, section: str) -> Iterator[Row]:
    for name, info in model.model_fields.items():
        annotation, _ = _without_none(info.annotation)
        if get_origin(annotation) is tuple and isinstance(get_args(annotation)[0], type):
            inner = get_args(annotation)[0]
            if issubclass(inner, BaseModel):
                yield from _walk(inner, f"{prefix}{name}[].", name)
                continue
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _walk(annotation, f"{prefix}{name}.", name)
            continue
        yield _row(prefix, section, name, info)


@cache
def table() -> Mapping[str, Row]:
    """Every field of the spec by its dotted path."""
    return {row.path: row for row in _walk(JobSpec, "", "job")}


def title_of(path: str) -> str:
    """The field's title, or the path itself where there is none."""
    row = table().get(path)
    return row.title if row else path
