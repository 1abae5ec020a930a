"""Checks a document before anything starts: its form, the engine, the files it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app import artifacts, base_models, datasets
from app.jobs import (
    installations,
    installing,
    model_use,
    opening,
    planning,
    sentences,
    workspace,
)
from app.jobs.installations import Installation
from app.jobs.rundir import MOUNT_IT, RunDir
from app.platform import Platform
from engines import families, presets
from engines.base import DatasetFacts, LaunchPlan, UnsupportedError
from engines.registry import EngineName, setting_prefix
from engines.spec import JobSpec, ResumeFrom

HUB_SECONDS = 2.0
"""How long a check waits for the Hub's answer; later the answer comes before the start."""
_PENDING = (
    "The options of the installed {} are still being read; until then this is checked against "
    "those of the pinned version, and once more before the start."
)
LOOK_SECONDS = 3.0
"""How long a check decodes pictures; the rest is looked at before the start."""


@dataclass(frozen=True)
class Checked:
    """What a check found. ``spec`` and ``engine`` are None where they could not be read.

    ``document`` is completed with defaults; ``errors`` maps a dotted field to its sentence;
    ``plan`` is there when the engine can plan it; ``facts`` is parallel to ``spec.datasets``.
    """

    document: dict[str, Any]
    spec: JobSpec | None = None
    engine: EngineName | None = None
    errors: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    plan: LaunchPlan | None = None
    facts: tuple[DatasetFacts, ...] | None = None


def read(
    document: Mapping[str, Any], *, gpu: bool, vram_gb: float | None = None
) -> tuple[JobSpec | None, dict[str, str], dict[str, Any]]:
    """The spec of a document, or sentences why it is none; and the completed document."""
    completed = presets.complete(document, gpu=gpu, vram_gb=vram_gb)
    try:
        spec = JobSpec.model_validate(completed)
    except ValidationError as error:
        return None, sentences.explain(error), completed
    if families.get(spec.family) is None:
        return (
            None,
            {"family": f"There is no model family {spec.family!r}. Choose one of the list."},
            completed,
        )
    return spec, {}, completed


def choose_engine(platform: Platform, spec: JobSpec) -> tuple[Installation | None, str]:
    """Who will train it: the installation, or a sentence for the engine field.

    auto takes the family's first engine that is installed and refuses nothing.
    """
    family = families.get(spec.family)
    able = family.engines if family else ()
    if spec.engine != "auto":
        if spec.engine not in able:
            return None, f"{spec.engine} does not train {spec.family}; use {' or '.join(able)}."
        return installations.find(platform.settings, spec.engine), ""
    there = [installations.find(platform.settings, name) for name in able]
    fitting = [i for i in there if i.installed and not i.engine.refusals(spec)]
    installed = [i for i in there if i.installed]
    return (fitting or installed or there)[0], ""


def check(
    platform: Platform,
    document: Mapping[str, Any],
    *,
    thorough: bool = True,
    card_gb: float | None = None,
    gpus: int | None = None,
) -> Checked:
    """Everything that can be known before the start, within a few seconds.

    ``thorough`` also decodes pictures and asks the Hub; a live preview does without. ``card_gb``
    is the card that defaults are for; None means the smallest that is here. ``gpus`` is how many
    there are where it will run; None means those that are here.
    """
    opened = opening.open_folders(document, platform.settings)
    report = platform.gpus.report()
    here = tuple(gpu.index for gpu in report.gpus)
    numbers = here if gpus is None else tuple(range(gpus))
    card = card_gb or (report.smallest_gb if gpus is None else None)
    checked = _check(platform, opened.document, numbers, thorough=thorough, card_gb=card)
    errors = {opened.place_of(name): text for name, text in checked.errors.items()}
    return replace(checked, errors=errors, warnings=(*opened.notes, *checked.warnings))


def _check(
    platform: Platform,
    document: Mapping[str, Any],
    gpus: tuple[int, ...],
    *,
    thorough: bool,
    card_gb: float | None,
) -> Checked:
    spec, errors, completed = read(document, gpu=bool(gpus), vram_gb=card_gb)
    if spec is None:
        return Checked(completed, errors=errors)
    errors = spec.missing()
    installation, complaint = choose_engine(platform, spec)
    if installation is None:
        return Checked(completed, spec, errors={**errors, "engine": complaint})
    waits = installing.being_installed(installation.name) if installation.problem else ""
    if installation.problem and not waits:
        errors["engine"] = (
            f"{installation.name} is not installed. Install it on the Engines page or by "
            f"{installation.how}, or set {setting_prefix(installation.name)}_DIR and "
            f"{setting_prefix(installation.name)}_PYTHON."
        )
    spec = workspace.resolved(spec, platform.settings)
    facts, found, warnings = _look(spec, installation, thorough=thorough)
    warnings = (*warnings, waits) if waits else warnings
    errors.update(found)
    errors.update(model_problems(platform, spec, seconds=HUB_SECONDS if thorough else 0))
    warnings = (*warnings, *_on_their_way(platform, spec))
    errors.update(_disk(platform.settings.data_dir))
    errors.update(_start(platform, spec))
    known = not found and all(dataset.path.strip() for dataset in spec.datasets)
    plan, refused = _plan(platform, spec, installation, facts if known else None, gpus)
    if plan is None and known and not thorough:
        # What a family still lacks keeps a job from starting, not a preview from being seen.
        plan, _ = _plan(platform, spec, installation, None, gpus)
    for name, text in refused.items():
        errors.setdefault(name, text)
    if platform.options.now(installation).pending:
        warnings = (*warnings, _PENDING.format(installation.name))
    return Checked(completed, spec, installation.name, errors, warnings, plan, facts)


def _plan(
    platform: Platform,
    spec: JobSpec,
    installation: Installation,
    facts: tuple[DatasetFacts, ...] | None,
    gpus: tuple[int, ...],
) -> tuple[LaunchPlan | None, dict[str, str]]:
    run = RunDir(platform.settings.jobs_dir / "NEW")
    space = workspace.for_run(
        run,
        installation,
        job_id=0,
        facts=facts,
        gpus=gpus[: spec.gpus],
        options=platform.options.now(installation).options,
    )
    try:
        return planning.plan(installation, spec, space), {}
    except UnsupportedError as error:
        return None, {refusal.field: refusal.message for refusal in error.refusals}


def _look(
    spec: JobSpec, installation: Installation, *, thorough: bool
) -> tuple[tuple[DatasetFacts, ...], dict[str, str], tuple[str, ...]]:
    errors: dict[str, str] = {}
    warnings: list[str] = []
    facts: list[DatasetFacts] = []
    for index, dataset in enumerate(spec.datasets):
        if not dataset.path.strip():
            facts.append(DatasetFacts(()))
            continue
        report = datasets.look(
            Path(dataset.path),
            caption_extension=dataset.caption_extension,
            engine=installation.name,
            decode_seconds=LOOK_SECONDS if thorough else 0.0,
            material=material(spec),
        )
        facts.append(report.facts)
        if report.errors:
            errors[f"datasets.{index}.path"] = " ".join(report.errors)
        warnings += report.warnings
    return tuple(facts), errors, tuple(warnings)


def model_problems(platform: Platform, spec: JobSpec, *, seconds: float) -> dict[str, str]:
    """Why the base model or a component cannot be used, by field; waits ``seconds`` for the Hub."""
    named = {
        "base_model": spec.base_model,
        **{f"components.{k}": v for k, v in spec.components.items()},
    }
    errors: dict[str, str] = {}
    for name, text in named.items():
        if not text:
            continue
        place = base_models.resolve(text, platform.settings.data_dir)
        if isinstance(place, base_models.Local):
            problem = base_models.check_local(
                place.path, spec.family if name == "base_model" else None
            )
            if problem:
                errors[name] = problem
            continue
        answer = platform.hub.wait(place.repo, seconds, place.file)
        if answer is not None and not answer.ok:
            errors[name] = answer.sentence
    return errors


def _on_their_way(platform: Platform, spec: JobSpec) -> tuple[str, ...]:
    """What is being downloaded already: the job waits for it, nothing is fetched twice."""
    coming = model_use.downloading()
    names = filter(None, (spec.base_model, *spec.components.values()))
    repos = [model_use.awaited(str(n), platform.settings, coming) for n in names] if coming else []
    return tuple(
        f"{repo} is being downloaded; the job starts when it is here."
        for repo in dict.fromkeys(filter(None, repos))
    )


def material(spec: JobSpec) -> datasets.Material:
    """What the family trains on."""
    family = families.get(spec.family)
    if family is not None and family.group == "audio":
        return "sound"
    return "clips" if family is not None and family.video else "pictures"


def _start(platform: Platform, spec: JobSpec) -> dict[str, str]:
    problem = start_problem(platform, spec)
    return {"resume": problem} if problem else {}


def start_problem(platform: Platform, spec: JobSpec) -> str:
    """Why it cannot begin with another job's LoRA, or a file, that it names; else empty."""
    if not isinstance(spec.resume, ResumeFrom):
        return ""
    point = workspace.starting_point(spec, platform.settings)
    if point is None:
        return f"Job {spec.resume.source} has written no LoRA to start from."
    there = os.path.exists(point.path)  # Path raises for what no system can hold
    problem = "" if there else f"There is no {str(point.path)[:300]} to start from."
    if not problem and point.path.suffix == ".safetensors":
        try:
            artifacts.read_header(point.path)
        except artifacts.TornSafetensorsError as error:
            problem = str(error)
    return problem


def _disk(data_dir: Path) -> dict[str, str]:
    jobs = data_dir / "jobs"
    if not jobs.is_dir():
        return {"name": f"{jobs} is not there, so no job can start. {MOUNT_IT}"}
    if not os.access(jobs, os.W_OK):
        return {
            "name": f"{jobs} cannot be written, so no job can start. Check its owner and the disk."
        }
    return {}
