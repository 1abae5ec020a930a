"""What differs between jobs: their specs field by field, how they went, their samples side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app import artifacts
from app.errors import UserError
from app.jobs import pricing, service, store
from app.models import Job
from app.platform import current
from engines.adapter import ENGINES
from engines.fields import title_of

MOST = 6
_LABELS = frozenset({"name", "version", "engine"})


class Row(NamedTuple):
    """One line of the table: a value for each job; ``differs`` where they are not all the same."""

    title: str
    values: tuple[str, ...]
    differs: bool


class Shot(NamedTuple):
    """Samples of one prompt: for each job its picture and the step it was drawn at, or None."""

    step: int
    prompt: int
    pictures: tuple[tuple[artifacts.Artifact, int] | None, ...]


def jobs_of(text: str) -> list[Job]:
    """The jobs named like ``3,5``, in that order. Raises UserError or NotFoundError."""
    words = [word for word in text.replace(" ", ",").split(",") if word]
    if not all(word.isdigit() and len(word) < 10 for word in words):
        raise UserError(f"{text!r} is no list of job numbers; write them like 3,5,9.")
    numbers = list(dict.fromkeys(int(word) for word in words))
    if len(numbers) > MOST:
        raise UserError(f"At most {MOST} jobs can be compared at once; take some away.")
    return [store.get(number) for number in numbers]


def rows(jobs: Sequence[Job]) -> list[Row]:
    """Every field that differs, and how each run went."""
    flat = [dict(_flat(json.loads(job.document))) for job in jobs]
    names = list(dict.fromkeys(name for spec in flat for name in spec))
    found = [_row(title_of(name), [spec.get(name) for spec in flat]) for name in names
             if name not in _LABELS]  # fmt: skip
    return [row for row in found if row.differs] + _outcomes(jobs)


def _outcomes(jobs: Sequence[Job]) -> list[Row]:
    platform = current()
    return [
        _row("Engine", [job.engine for job in jobs]),
        _row("State", [job.state for job in jobs]),
        _row("Steps", [job.step for job in jobs]),
        _row("Loss at last", [None if j.loss is None else f"{j.loss:.4f}" for j in jobs]),
        _row("Seconds per step", [
            None if j.seconds_per_step is None else f"{j.seconds_per_step:.2f}" for j in jobs
        ]),
        _row("Minutes in all", [f"{pricing.seconds_used(job) / 60:.1f}" for job in jobs]),
        _row("Cost", [_money(pricing.cost_so_far(platform, job)) for job in jobs]),
    ]  # fmt: skip


def _money(amount: float | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _row(title: str, values: Sequence[Any]) -> Row:
    told = tuple("–" if value is None else str(value) for value in values)
    return Row(title, told, len(set(told)) > 1)


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with their values as text; lists of objects by their number."""
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _flat({str(n): entry for n, entry in enumerate(value)}, f"{name}.")
        elif value not in (None, {}, []):
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shots(jobs: Sequence[Job], step: int | None = None) -> tuple[list[int], list[Shot]]:
    """The steps at which any job drew samples, and those nearest to ``step`` (the last by itself)."""
    drawn = [_samples(job) for job in jobs]
    steps = sorted({at for one in drawn for at, _ in one})
    if not steps:
        return [], []
    wanted = min(steps, key=lambda at: abs(at - step)) if step is not None else steps[-1]
    prompts = sorted({prompt for one in drawn for _, prompt in one})
    found = []
    for prompt in prompts:
        pictures = []
        for one in drawn:
            near = min(
                (at for at, of in one if of == prompt),
                key=lambda at: abs(at - wanted),
                default=None,
            )
            pictures.append(None if near is None else (one[near, prompt], near))
        found.append(Shot(wanted, prompt, tuple(pictures)))
    return steps, found


def _samples(job: Job) -> dict[tuple[int, int], artifacts.Artifact]:
    """The job's samples by step and number of the prompt."""
    engine = ENGINES[job.engine]
    outputs = artifacts.find(service.run_dir(job).output, engine, job.name)
    attempt = store.attempt_of(job)
    per_epoch = (attempt.steps_per_epoch if attempt else None) or 0
    found = {}
    for sample in outputs.samples:
        step = sample.file.step
        if step is None:
            step = (sample.file.epoch or 0) * per_epoch
        found[step, sample.file.prompt or 0] = sample
    return found
