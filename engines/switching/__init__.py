"""Gives a spec to the other engine: the translated document, and a list of all that changes.

Names are translated first; what the target then still refuses is set to the nearest value that
it takes, with the target's own reason. What only a person can decide stays open and is named.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engines import families
from engines.adapter import ENGINES
from engines.base import Refusal, UnsupportedError
from engines.fields import table
from engines.registry import EngineName
from engines.spec import JobSpec
from engines.switching import names, options, telling

_MOST_ROUNDS = 200
_PERSONAL = re.compile(
    r"(family|base_model|trigger_word|resume|sampling\.prompts|datasets\.\d+\.path)$"
)
"""Fields whose text is a person's own: a switch never rewrites them."""


@dataclass(frozen=True)
class Change:
    """One field of the spec that differs; None stands for nothing there."""

    field: str
    before: Any
    after: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {_said(self.before)} -> {_said(self.after)}: {self.reason}"


@dataclass(frozen=True)
class Switched:
    """A document for the other engine.

    ``changes`` are all fields that differ, and no others. ``notes`` say what will run otherwise
    although its field is the same. ``open`` is what the target needs and only a person can give.
    """

    document: dict[str, Any]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    open: tuple[Refusal, ...] = ()


def _said(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def switch(document: Mapping[str, Any], target: EngineName) -> Switched:
    """Translate ``document`` for ``target``.

    Raises pydantic's ValidationError for what is no spec, UnsupportedError where the target does
    not train the family at all.
    """
    source = JobSpec.model_validate(document)
    family = families.get(source.family)
    if family is None or target not in family.engines:
        raise UnsupportedError(
            target, [Refusal("family", f"{target} does not train {source.family}.")]
        )
    draft = _Draft(copy.deepcopy(dict(document)), target)
    draft.set("engine", target, f"the job is for {target} now")
    _translate_options(draft, target)
    _translate_names(draft, target)
    _settle(draft)
    result = draft.spec
    return Switched(
        draft.document,
        tuple(_changes(source, result, draft)),
        tuple(telling.notes(result, target)),
        (*draft.engine.refusals(result), *telling.open_fields(result, target)),
    )


class _Draft:
    """The document while it is translated, with a reason for each place that was touched."""

    def __init__(self, document: dict[str, Any], target: EngineName) -> None:
        self.document, self.target = document, target
        self.engine = ENGINES[target]
        self.reasons: dict[str, str] = {}

    @property
    def spec(self) -> JobSpec:
        return JobSpec.model_validate(self.document)

    def set(self, field: str, value: Any, reason: str) -> None:
        """Put a value at a dotted field; None takes an option or a component away."""
        self.reasons[field] = reason
        self.document = _with(self.document, field, value)

    def reason_of(self, field: str) -> str:
        """Of the field, or of the nearest group above it."""
        while field:
            if field in self.reasons:
                return self.reasons[field]
            field = field.rpartition(".")[0]
        return ""


def _with(document: Mapping[str, Any], field: str, value: Any) -> dict[str, Any]:
    """A copy with the dotted field set; lists are walked by number."""
    found = copy.deepcopy(dict(document))
    *parents, last = field.split(".")
    place: Any = found
    for part in parents:
        if isinstance(place, list):
            place = place[int(part)]
        else:
            inner = place.get(part)
            place[part] = list(inner) if isinstance(inner, tuple) else inner or {}
            place = place[part]
    if isinstance(place, list):
        place[int(last)] = {} if value is None else value
    elif value is None and parents and parents[0] in ("components", "engine_options"):
        place.pop(last, None)
    else:
        place[last] = value
    return found


def _translate_options(draft: _Draft, target: EngineName) -> None:
    """Carry over the native options that mean the same; leave the others of the old engine behind."""
    moved = options.carry(draft.spec, target)
    for place, reason in moved.reasons.items():
        draft.reasons[place] = reason
    if moved.options != draft.spec.engine_options:
        draft.document["engine_options"] = moved.options


def _translate_names(draft: _Draft, target: EngineName) -> None:
    spec = draft.spec
    _translate_optimizer(draft, target)
    name = names.schedule(spec.optimizer.scheduler, target)
    if name != spec.optimizer.scheduler:
        draft.set(
            "optimizer.scheduler", name,
            f"{spec.optimizer.scheduler} is {name} on {target}: one descent over the whole run",
        )  # fmt: skip
    sampling = spec.loss.timestep_sampling
    if sampling is not None and names.timesteps(sampling, target) != sampling:
        word = names.timesteps(sampling, target)
        draft.set("loss.timestep_sampling", word, f"{target} calls {sampling} so")
    if target == "kohya_ss" and spec.network.type == "lora" and spec.network.conv_rank:
        wanted = _with(draft.document, "network.type", "locon")
        refused = draft.engine.refusals(JobSpec.model_validate(wanted))
        if not any(refusal.field == "network.type" for refusal in refused):
            reason = "a LoRA with a convolution rank is what kohya_ss calls LoCon"
            draft.set("network.type", "locon", reason)


def _translate_optimizer(draft: _Draft, target: EngineName) -> None:
    spec = draft.spec
    old, new = spec.optimizer.name, names.optimizer(spec.optimizer.name, target)
    arguments = dict(spec.optimizer.arguments)
    if new != old:
        draft.set("optimizer.name", new, f"{target} has no {old}; {new} is the nearest it has")
        if names.kind(new) != names.kind(old) and arguments:
            draft.set("optimizer.arguments", {}, f"they are {old}'s own")
            return
    if target != "ai-toolkit" or not arguments:
        return
    decay = _number(arguments.get("weight_decay"))
    if decay is not None and decay >= 0:
        draft.set("optimizer.weight_decay", decay, "it stood among the optimizer's arguments")
        del arguments["weight_decay"]
        draft.reasons["optimizer.arguments.weight_decay"] = "is optimizer.weight_decay now"
    plain = {key: options.literal(value) for key, value in arguments.items()}
    why = "ai-toolkit takes the value itself, sd-scripts reads it from text"
    draft.set("optimizer.arguments", plain, why)


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _settle(draft: _Draft) -> None:
    """Until the target refuses nothing that can be set otherwise."""
    for _ in range(_MOST_ROUNDS):
        if not any(_mend(draft, refusal) for refusal in draft.engine.refusals(draft.spec)):
            return
    raise AssertionError("every mend ends one refusal, so they end")


def _mend(draft: _Draft, refusal: Refusal) -> bool:
    """Set the refused field to the first value that ends this refusal. False: there is none."""
    if _PERSONAL.match(refusal.field):
        return False
    for value in _candidates(draft.spec, refusal.field):
        tried = _with(draft.document, refusal.field, value)
        if refusal not in draft.engine.refusals(JobSpec.model_validate(tried)):
            draft.set(refusal.field, value, refusal.message)
            return True
    return False


def _candidates(spec: JobSpec, field: str) -> Iterator[Any]:
    """Values to try for a refused field, the nearest first, nothing or the default last."""
    optimizer = spec.optimizer
    if field.startswith(("components.", "engine_options.")):
        yield None
        return
    if field == "name":
        yield f"{spec.name[:75]}-lora"
    elif field == "memory.cache_text":
        yield "disk"
    elif field == "memory.quantize":
        yield "qfloat8"
    elif field == "network.rank":
        yield 64
    elif field == "optimizer.learning_rate":
        yield 1.0
    elif field == "optimizer.scheduler":
        yield "constant_with_warmup" if optimizer.warmup_steps else "constant"
    elif field == "optimizer.text_encoder_learning_rate":
        yield optimizer.learning_rate
    elif field == "optimizer.arguments":
        for key in optimizer.arguments:
            yield {name: value for name, value in optimizer.arguments.items() if name != key}
    elif field == "network.conv_rank" and spec.network.type == "locon":
        yield spec.network.rank
    row = table().get(re.sub(r"\.\d+\.", "[].", field))
    if row is not None:
        yield list(row.default) if isinstance(row.default, tuple) else row.default


def _changes(source: JobSpec, result: JobSpec, draft: _Draft) -> Iterator[Change]:
    before, after = (dict(leaves(spec)) for spec in (source, result))
    for field in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(field), after.get(field)
        if old != new:
            yield Change(field, old, new, draft.reason_of(field))


def leaves(spec: JobSpec) -> Iterator[tuple[str, Any]]:
    """Every value of a spec by its dotted field; a list of plain values is one value."""
    yield from _walk(spec.model_dump(mode="json", by_alias=True), "")


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{path}.{number}")
    elif value is not None:
        yield path, value
