"""The samples of a job as a grid: a row for each step, newest first, a column for each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app import artifacts
from app.artifacts import Artifact
from app.jobs import service, store
from app.models import Job
from app.numbers import thousands
from engines.adapter import ENGINES
from engines.prompts import with_trigger

VIDEOS = frozenset({".mp4", ".webm"})
SOUNDS = frozenset({".mp3", ".wav", ".flac", ".ogg"})


@dataclass(frozen=True)
class Row:
    """The samples of one step, as long as there are columns; None where nothing was drawn."""

    step: int
    label: str
    cells: tuple[Artifact | None, ...]


@dataclass(frozen=True)
class Gallery:
    """``columns`` are prompt numbers from 0, ``prompts`` their texts, ``rows`` newest first."""

    columns: tuple[int, ...]
    prompts: tuple[str, ...]
    rows: tuple[Row, ...]
    version: str
    size: tuple[int, int] = (1, 1)
    """Width and height in pixels, as asked: cells keep the shape of the pictures."""

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(cell is not None for row in self.rows for cell in row.cells)


def outputs_of(job: Job) -> artifacts.Outputs:
    """What the job wrote."""
    engine = ENGINES[job.engine]
    return artifacts.find(service.run_dir(job).output, engine, job.name)


def of(job: Job, found: artifacts.Outputs | None = None) -> Gallery:
    """The grid as it is now. Of two pictures of one step and prompt the newer is shown."""
    samples = (found or outputs_of(job)).samples
    attempt = store.attempt_of(job)
    spec = service.spec_of(job)
    texts = [with_trigger(text, spec.trigger_word) for text in spec.sampling.prompts]
    grid = arrange(samples, texts, attempt.steps_per_epoch if attempt else None)
    return replace(grid, size=(spec.sampling.width, spec.sampling.height))


def arrange(
    samples: Sequence[Artifact], texts: Sequence[str], steps_per_epoch: int | None
) -> Gallery:
    """Put samples into rows and columns."""
    columns = sorted({*range(len(texts)), *(a.file.prompt or 0 for a in samples)})
    rows: dict[int, tuple[str, dict[int, Artifact]]] = {}
    for sample in sorted(samples, key=lambda a: a.mtime):
        step, label = _place(sample, steps_per_epoch)
        rows.setdefault(step, (label, {}))[1][sample.file.prompt or 0] = sample
    return Gallery(
        tuple(columns),
        tuple(texts[n] if n < len(texts) else f"Prompt {n + 1}" for n in columns),
        tuple(
            Row(step, label, tuple(cells.get(n) for n in columns))
            for step, (label, cells) in sorted(rows.items(), reverse=True)
        ),
        version_of(artifacts.Outputs(samples=tuple(samples))),
    )


def version_of(found: artifacts.Outputs) -> str:
    """Changes with every sample that is drawn, drawn anew or removed."""
    return artifacts.Outputs(samples=found.samples).version


def step_of(artifact: Artifact, steps_per_epoch: int | None) -> int | None:
    """The step of a file, counted from its epoch where its name tells only that."""
    file = artifact.file
    if file.step is None and file.epoch and steps_per_epoch:
        return file.epoch * steps_per_epoch
    return file.step


def _place(sample: Artifact, steps_per_epoch: int | None) -> tuple[int, str]:
    step = step_of(sample, steps_per_epoch)
    if step is None:
        return sample.file.epoch or 0, f"Epoch {sample.file.epoch or 0}"
    return step, f"Step {thousands(step)}"


def kind_of(sample: Artifact) -> str:
    """How a page shows it: picture, video or sound."""
    suffix = sample.path.suffix.lower()
    return "video" if suffix in VIDEOS else "sound" if suffix in SOUNDS else "picture"


def as_json(gallery: Gallery, address: Any) -> dict[str, Any]:
    """What the viewer needs. ``address`` makes (whole, small) addresses of a sample.

    Steps run from the first to the newest, as a scrubber does.
    """
    return {
        "version": gallery.version,
        "prompts": list(gallery.prompts),
        "steps": [
            {
                "step": row.step,
                "label": row.label,
                "cells": [
                    None if cell is None else [*address(cell), kind_of(cell), cell.path.name]
                    for cell in row.cells
                ],
            }
            for row in reversed(gallery.rows)
        ],
    }
