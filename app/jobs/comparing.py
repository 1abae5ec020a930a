"""What differs between jobs: their specs field by field, how they went, their samples side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.artifacts import Artifact
from app.errors import UserError
from app.jobs import gallery, pricing, store
from app.models import Job
from app.numbers import thousands, whole
from app.platform import current
from engines.fields import table

MOST = 6
_LABELS = frozenset({"name", "version", "engine"})


class Row(NamedTuple):
    """One line of the table: a value for each job; ``differs`` where they are not all the same."""

    title: str
    unit: str
    values: tuple[str, ...]
    differs: bool


class Shot(NamedTuple):
    """Samples of one prompt: for each job its picture and the step it was drawn at, or None.

    ``texts`` are the prompts of the jobs where they are not the same, else empty.
    """

    step: int
    title: str
    pictures: tuple[tuple[Artifact, int] | None, ...]
    texts: tuple[str, ...] = ()


_Pictures = dict[tuple[int, int], Artifact]


def jobs_of(text: str) -> list[Job]:
    """The jobs named like ``3,5``, in that order. Raises UserError or NotFoundError."""
    words = [word for word in text.replace(" ", ",").split(",") if word]
    given = dict.fromkeys(whole(word) if len(word) < 10 else None for word in words)
    numbers = [number for number in given if number is not None]
    if len(numbers) < len(given):
        raise UserError(f"{text!r} is no list of job numbers; write them like 3,5,9.")
    if len(numbers) > MOST:
        raise UserError(f"At most {MOST} jobs can be compared at once; take some away.")
    return [store.get(number) for number in numbers]


def rows(jobs: Sequence[Job]) -> list[Row]:
    """Every field that differs, and how each run went."""
    flat = [dict(_flat(json.loads(job.document))) for job in jobs]
    names = list(dict.fromkeys(name for spec in flat for name in spec))
    found = [_row(*_head(name), [spec.get(name) for spec in flat]) for name in names
             if name not in _LABELS]  # fmt: skip
    return [row for row in found if row.differs] + _outcomes(jobs)


def _outcomes(jobs: Sequence[Job]) -> list[Row]:
    platform = current()
    paces = [job.seconds_per_step for job in jobs]
    return [
        _row("Engine", "", [job.engine for job in jobs]),
        _row("State", "", [job.state for job in jobs]),
        _row("Steps done", "", [thousands(job.step) for job in jobs]),
        _row("Loss at last", "", [None if j.loss is None else f"{j.loss:.4f}" for j in jobs]),
        _row("Time of a step", "s", [None if pace is None else f"{pace:.2f}" for pace in paces]),
        _row("Time in all", "min", [f"{pricing.seconds_used(job) / 60:.1f}" for job in jobs]),
        _row("Cost", "", [_money(pricing.cost_so_far(platform, job)) for job in jobs]),
    ]


def _money(amount: float | None) -> str | None:
    return None if amount is None else pricing.dollars(amount)


def _row(title: str, unit: str, values: Sequence[Any]) -> Row:
    told = tuple("–" if value is None else str(value) for value in values)
    return Row(title, unit, told, len(set(told)) > 1)


def _head(name: str) -> tuple[str, str]:
    """Title and unit of a field; a dataset's with the number of the dataset."""
    dataset = re.fullmatch(r"datasets\.(\d+)(\..+)", name)
    row = table().get(f"datasets[]{dataset[2]}" if dataset else name)
    if row is None:
        return name.removeprefix("engine_options."), ""
    unit = "" if row.unit == row.title.lower() else row.unit
    return f"{row.title}, dataset {int(dataset[1]) + 1}" if dataset else row.title, unit


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with their values as text; lists of objects by their number."""
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _flat({str(n): entry for n, entry in enumerate(value)}, f"{name}.")
        elif value not in (None, {}, []):
            yield name, _told(value)


def _told(value: Any) -> str:
    """A value of a spec in people's words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "; ".join(map(_told, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shots(jobs: Sequence[Job], step: int | None = None) -> tuple[list[int], list[Shot]]:
    """The steps at which any job drew samples, and those nearest to ``step`` (the last by itself)."""
    grids = [gallery.of(job) for job in jobs]
    drawn = [_pictures(grid) for grid in grids]
    texts = [dict(zip(grid.columns, grid.prompts, strict=True)) for grid in grids]
    steps = sorted({at for one in drawn for at, _ in one})
    if not steps:
        return [], []
    wanted = min(steps, key=lambda at: abs(at - step)) if step is not None else steps[-1]
    prompts = sorted({prompt for one in drawn for _, prompt in one})
    return steps, [_shot(wanted, prompt, drawn, texts) for prompt in prompts]


def _shot(
    wanted: int, prompt: int, drawn: Sequence[_Pictures], texts: Sequence[Mapping[int, str]]
) -> Shot:
    pictures = []
    for one in drawn:
        steps = (at for at, of in one if of == prompt)
        near = min(steps, key=lambda at: abs(at - wanted), default=None)
        pictures.append(None if near is None else (one[near, prompt], near))
    told = tuple(text.get(prompt, "") for text in texts)
    same = {text for text, picture in zip(told, pictures, strict=True) if picture}
    title = same.pop() if len(same) == 1 else f"Prompt {prompt + 1}"
    return Shot(wanted, title, tuple(pictures), () if not same else told)


def _pictures(grid: gallery.Gallery) -> _Pictures:
    """The samples of one job by step and number of the prompt."""
    return {
        (row.step, column): cell
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
        if cell is not None
    }
