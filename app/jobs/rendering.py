"""Writes an engine's native files for a spec, without looking at anything the spec names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidSpecError
from app.jobs import checking, installations, planning, service, workspace
from app.jobs.engine_options import OptionLibrary
from app.jobs.installations import Installation
from app.settings import Settings
from engines import families
from engines.base import LaunchPlan, UnsupportedError, Workspace
from engines.spec import EngineName, JobSpec


@dataclass(frozen=True)
class Rendered:
    """The command that runs the written files; ``env`` names no secret's value."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    warnings: tuple[str, ...]


def render(
    document: Mapping[str, Any], out: Path, settings: Settings, *, card_gb: float | None = None
) -> Rendered:
    """Plan into ``out``. An incomplete spec is rendered with warnings. Raises InvalidSpecError.

    Defaults are those of a machine with a GPU, since the files are usually for one, and of a
    card of ``card_gb`` where one is named.
    """
    spec, plan = planned(
        document,
        settings,
        lambda found, spec: Workspace(
            native=out,
            output=out / "output",
            logs=out / "logs",
            home=found.home,
            python=found.python,
            datasets=None,
            gpus=tuple(range(spec.gpus)),
            options=OptionLibrary(settings).wait(found).options,
        ),
        card_gb=card_gb,
    )
    service.files_of(plan, out)
    gaps = tuple(f"{field}: {text}" for field, text in spec.missing().items())
    return Rendered(list(plan.argv), str(plan.cwd), dict(plan.env), gaps + plan.notes)


def planned(
    document: Mapping[str, Any],
    settings: Settings,
    place: Callable[[Installation, JobSpec], Workspace],
    card_gb: float | None = None,
) -> tuple[JobSpec, LaunchPlan]:
    """The spec with absolute paths, and its plan where ``place`` puts it. Raises InvalidSpecError."""
    spec, errors, _ = checking.read(document, gpu=True, vram_gb=card_gb)
    if spec is None:
        raise InvalidSpecError(errors)
    found = installations.find(settings, _engine(spec))
    spec = workspace.resolved(spec, settings)
    try:
        return spec, planning.plan(found, spec, place(found, spec))
    except UnsupportedError as error:
        raise InvalidSpecError({r.field: r.message for r in error.refusals}) from error


def _engine(spec: JobSpec) -> EngineName:
    family = families.get(spec.family)
    able = family.engines if family else ()
    if spec.engine == "auto":
        return able[0]
    if spec.engine not in able:
        raise InvalidSpecError(
            {"engine": f"{spec.engine} does not train {spec.family}; use {' or '.join(able)}."}
        )
    return spec.engine
