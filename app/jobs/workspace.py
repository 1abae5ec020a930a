"""Turns a spec into what an adapter needs: absolute paths, the engine's place, facts found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from app.base_models import Local, resolve
from app.jobs.installations import Installation
from app.jobs.rundir import RunDir
from app.settings import Settings
from engines.base import DatasetFacts, OptionList, ResumePoint, Workspace
from engines.spec import JobSpec, ResumeFrom


def dataset_path(settings: Settings, text: str) -> Path:
    """Where a dataset's text points: absolute as it is, else under DATA_DIR/datasets."""
    # A ~somebody who has no home here stays as it is; Path raises for it.
    return (settings.datasets_dir / os.path.expanduser(text)).absolute()


def model_path(settings: Settings, text: str) -> str:
    """The base model or a component as the engine gets it: an absolute path, or a hub id."""
    found = resolve(text, settings.data_dir)
    return str(found.path) if isinstance(found, Local) else text


def resolved(spec: JobSpec, settings: Settings) -> JobSpec:
    """The same spec with absolute dataset, model and component paths. Looks at no file it names."""
    return spec.model_copy(
        update={
            "datasets": tuple(
                dataset.model_copy(update={"path": str(dataset_path(settings, dataset.path))})
                if dataset.path.strip()
                else dataset
                for dataset in spec.datasets
            ),
            "base_model": model_path(settings, spec.base_model) if spec.base_model else None,
            "components": {
                name: model_path(settings, text) for name, text in spec.components.items()
            },
        }
    )


def for_run(
    run: RunDir,
    installation: Installation,
    *,
    job_id: int,
    attempt: int = 1,
    facts: Sequence[DatasetFacts] | None,
    gpus: tuple[int, ...] = (),
    resume: ResumePoint | None = None,
    steps_per_epoch: int | None = None,
    options: OptionList | None = None,
) -> Workspace:
    """The workspace of one attempt in a run directory."""
    return Workspace(
        native=run.native,
        output=run.output,
        logs=run.root / "logs" / str(attempt),
        home=installation.home,
        python=installation.python,
        job_id=str(job_id),
        datasets=tuple(facts) if facts is not None else None,
        gpus=gpus,
        resume=resume,
        steps_per_epoch=steps_per_epoch,
        options=options,
    )


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # pruned by the engine of a run in progress since it was listed


def starting_point(spec: JobSpec, settings: Settings) -> ResumePoint | None:
    """Where ``resume: {from: ...}`` points; None for auto and never.

    A number is another job's finished LoRA (weights only); a text is a path.
    """
    if not isinstance(spec.resume, ResumeFrom):
        return None
    source = spec.resume.source
    if isinstance(source, str) and not source.isdigit():
        return ResumePoint(Path(os.path.expanduser(source)).absolute(), 0, weights_only=True)
    output = settings.jobs_dir / str(source) / "output"
    if not os.path.isdir(output):  # Path raises for a number of a thousand digits
        return None
    finished = sorted(output.glob("**/*.safetensors"), key=_written)
    loras = [path for path in finished if "-state" not in path.parent.name]
    return ResumePoint(loras[-1], 0, weights_only=True) if loras else None
