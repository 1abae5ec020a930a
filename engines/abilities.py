"""What an engine can do for a family, found by asking its own refusals one field at a time.

A plain spec is changed in one field and shown to the adapter; a complaint about that very field
means that it cannot be had. So the form, which greys it out, can never disagree with the refusal.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from engines import families
from engines.adapter import ENGINES, Engine
from engines.fields import Row, table
from engines.registry import EngineName
from engines.spec import JobSpec

ALWAYS = frozenset(
    {"version", "name", "engine", "family", "base_model", "components", "resume", "engine_options",
     "datasets[].path", "length.steps", "length.epochs"}
)  # fmt: skip
"""Fields that every engine has, or that are checked by other means."""

BESIDE: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "network.type": ({}, {"network.conv_rank": 8}),
    "network.conv_rank": ({}, {"network.type": "locon"}, {"network.type": "lokr"}),
    "network.conv_alpha": (
        {"network.conv_rank": 8},
        {"network.type": "locon", "network.conv_rank": 8},
        {"network.type": "lokr", "network.conv_rank": 8},
    ),
    "optimizer.text_encoder_learning_rate": ({"optimizer.learning_rate": 1.0},),
    "optimizer.scheduler": (
        {},
        {"engine_options.kohya_ss.config.lr_scheduler_args": ["min_lr_rate=0.1"]},
        {"engine_options.kohya_ss.config.lr_scheduler_args": ["step_rules='1:100,0.1'"]},
    ),
    "datasets[].keep_tags": ({"datasets[].shuffle_tags": True},),
    "ema.decay": ({"ema.enabled": True},),
}
"""What a field needs beside it to have a meaning; any one of these is enough."""


@dataclass(frozen=True)
class Limits:
    """What cannot be asked for, by the paths of the field table.

    ``unavailable`` holds fields of which nothing but the default can be had, ``values`` single
    choices (as text), each with the engine's own sentence. ``only`` and ``only_values`` name the
    one engine that can, where the family has two and none was chosen.
    """

    unavailable: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    only: Mapping[str, EngineName]
    only_values: Mapping[str, Mapping[str, EngineName]]


_NOTHING = Limits({}, {}, {}, {})


@cache
def words(path: str) -> tuple[str, ...]:
    """The words a field may take: its choices, or what any engine knows; empty for free text."""
    known = dict.fromkeys(word for engine in ENGINES.values() for word in engine.words(path))
    if known:
        return tuple(sorted(known) if path.startswith("optimizer.") else known)
    return table()[path].choices if path != "resume" else ()


def limits(family: str, engine: str) -> Limits:
    """What this engine cannot do for that family; for "auto", what none of its engines can.

    An unknown family, or an engine that does not train it, has no limits: that is told elsewhere.
    """
    found = families.get(family)
    able = found.engines if found else ()
    if engine == "auto" and able:
        return _of_all(family)
    return next((_of_one(family, name) for name in able if name == engine), _NOTHING)


def parts(family: str, engine: str) -> Mapping[str, bool]:
    """Further files the family takes on that engine, and whether it cannot do without."""
    return ENGINES[engine].parts(family) if engine in ENGINES else {}


@cache
def _of_all(family: str) -> Limits:
    """What none can; and the one that can, where it is one of several."""
    each = {name: _of_one(family, name) for name in families.families()[family].engines}
    unavailable: dict[str, str] = {}
    only: dict[str, EngineName] = {}
    values: dict[str, dict[str, str]] = {}
    only_values: dict[str, dict[str, EngineName]] = {}
    for path in table():
        able = [name for name, of in each.items() if path not in of.unavailable]
        if not able:
            unavailable[path] = _joined([of.unavailable[path] for of in each.values()])
        elif len(able) == 1 < len(each):
            only[path] = able[0]
        for word in words(path):
            says = [of.values.get(path, {}).get(word, "") for of in each.values()]
            who = [name for name, text in zip(each, says, strict=True) if not text]
            if not who:
                values.setdefault(path, {})[word] = _joined(says)
            elif len(who) == 1 < len(each):
                only_values.setdefault(path, {})[word] = who[0]
    return Limits(unavailable, values, only, only_values)


def _joined(sentences: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(sentences))


@cache
def _of_one(family: str, name: EngineName) -> Limits:
    engine = ENGINES[name]
    unavailable: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    for path, row in table().items():
        if path in ALWAYS:
            continue
        if not words(path):
            why = _why_not(family, engine, path, away_from_default(row))
            if why is not None:
                unavailable[path] = why
            continue
        refused = {
            word: why
            for word in words(path)
            if (why := _why_not(family, engine, path, word)) is not None
        }
        if {*words(path)} - {row.default} <= {*refused}:
            unavailable[path] = _shared(refused)
        values[path] = refused
    return Limits(unavailable, values, {}, {})


def _shared(refused: Mapping[Any, str]) -> str:
    """One sentence for a whole field: that of the only value, or of most of them."""
    sentences = list(refused.values())
    return max(sentences, key=sentences.count)


def away_from_default(row: Row) -> Any:
    """A value inside the bounds that asks for something."""
    if row.kind == "switch":
        return not row.default
    if row.kind == "integer":
        wanted = row.default * 2 if row.default else 8
        return wanted if row.maximum is None or wanted <= row.maximum else int(row.maximum)
    if row.kind == "number":
        if row.default:
            wanted = row.default * 2
            return wanted if row.maximum is None or wanted <= row.maximum else row.default / 2
        return row.maximum / 2 if row.maximum else 1.0
    if row.kind == "list":
        return [512] if row.path == "datasets[].resolution" else ["a dog"]
    return {"betas": [0.9, 0.99]} if row.kind == "mapping" else "probe"


def _why_not(family: str, engine: Engine, path: str, value: Any) -> str | None:
    """The engine's sentence about this value, or None when some way to have it is open."""
    said: str | None = None
    for beside in BESIDE.get(path, ({},)):
        complaint = _complaint(family, engine, {**beside, path: value}, (path, *beside))
        if complaint is None:
            return None
        said = said or complaint
    return said


def _complaint(
    family: str, engine: Engine, changes: Mapping[str, Any], about: Sequence[str]
) -> str | None:
    try:
        spec = JobSpec.model_validate(probe(family, engine.name, changes))
    except ValidationError:
        # A word that the spec itself refuses is no matter of the engine.
        return None
    refused = {refusal.field: refusal.message for refusal in engine.refusals(spec)}
    return next((refused[name] for path in about if (name := _first(path)) in refused), None)


def _first(path: str) -> str:
    return path.replace("[]", ".0")


def probe(family: str, engine: EngineName, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A plain document with these fields changed, by the paths of the field table."""
    document: dict[str, Any] = {
        "name": "probe-of-fields", "engine": engine, "family": family, "base_model": "/probe",
        "datasets": [{"path": "probe"}], "length": {"steps": 100},
        "components": {name: "/probe" for name, needed in parts(family, engine).items() if needed},
    }  # fmt: skip
    for path, value in changes.items():
        *sections, last = path.replace("datasets[]", "datasets.0").split(".")
        place: Any = document
        for section in sections:
            place = (
                place[int(section)] if isinstance(place, list) else place.setdefault(section, {})
            )
        place[last] = copy.copy(value)
    return document
