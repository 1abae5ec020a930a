"""Says whether jobs can run here: engines, GPUs, disk, tokens, one line each."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app import base_models
from app.jobs import checking, engine_options, installations, planning
from app.jobs.cluster_card import cluster_card
from app.platform import current
from app.settings import HUB_OFFLINE
from engines.base import Refusal, UnsupportedError, Workspace
from engines.spec import ENGINE_NAMES, EngineName

GB = 1_000_000_000
SLURM_SECONDS = 45.0
"""Slurm's commands give up by themselves before."""


class Line(NamedTuple):
    """One finding. ``needed`` ones that are not ``ok`` mean that jobs cannot run."""

    what: str
    ok: bool
    needed: bool
    text: str


def examine(engine: str | None = None) -> list[Line]:
    """Look at everything; needs an application context. Starts each engine's interpreter."""
    engines = [_engine(name) for name in ENGINE_NAMES if engine in (None, name)]
    # One engine that runs is enough, unless somebody asked for this one.
    any_runs = any(line.ok for line in engines)
    engines = [line._replace(needed=not any_runs or engine is not None) for line in engines]
    if engine is not None:
        return [*engines, *_conformance(engine)]
    return [*engines, *_gpus(), *_slurm(), _disk(), _writable(), _token()]


def _engine(name: EngineName) -> Line:
    found = installations.find(current().settings, name)
    problem = found.problem or installations.interpreter_runs(found)
    if problem:
        return Line(name, False, True, f"{problem} To install: {found.how}")
    known = current().options.wait(found)
    told = known.problem or f"options {known.options.source}"
    return Line(name, True, True, f"{found.home} with {found.python}; {told}")


def _conformance(name: str) -> list[Line]:
    """How the installed engine's options differ from those of the pinned commit."""
    found = next(i for i in installations.find_all(current().settings) if i.name == name)
    if found.problem:
        return []
    known = current().options.wait(found)
    lines = [Line("commit", True, False, installations.commit_of(found.home) or "unknown")]
    lines += [
        Line(group, True, False, f"{count} options") for group, count in counts(known.options.data)
    ]
    more, fewer = differences(found, known)
    for what, told in (("only installed", more), ("only in the pin", fewer)):
        lines.append(Line(what, True, False, "; ".join(told) or "no option"))
    return [*lines, *_families(found, known)]


def differences(
    found: installations.Installation, known: engine_options.Known
) -> tuple[list[str], list[str]]:
    """What only the installed engine accepts, and what only the pinned version does."""
    pinned, there = groups(found.engine.shipped_options().data), groups(known.options.data)
    return beyond(there, pinned), beyond(pinned, there)


def beyond(has: Mapping[str, set[str]], lacks: Mapping[str, set[str]]) -> list[str]:
    """What one list has that the other lacks: whole scripts or classes, then options.

    An option that several share is told once, with how many of them it concerns.
    """
    told = [f"all of {group}" for group in sorted(set(has) - set(lacks))]
    where = Counter(key for group in set(has) & set(lacks) for key in has[group] - lacks[group])
    return told + [f"{key} (in {n})" if n > 1 else key for key, n in sorted(where.items())]


def counts(data: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How many options each script or class has."""
    return [(group, len(keys)) for group, keys in data.get("classes", data).items()]


def _families(found: installations.Installation, known: engine_options.Known) -> list[Line]:
    """Whether every family's usual training can be planned for this very installation."""
    lines = []
    able = sorted(found.engine.families())
    for family in able:
        document = {
            "name": "check", "family": family, "engine": found.name, "length": {"steps": 10},
        }  # fmt: skip
        spec, errors, _ = checking.read(document, gpu=True)
        try:
            if spec is None:
                raise UnsupportedError(found.name, [Refusal(k, v) for k, v in errors.items()])
            planning.plan(found, spec, _nowhere(found, known))
        except UnsupportedError as error:
            lines.append(Line(family, False, False, str(error)))
    told = f"{len(able) - len(lines)} of {len(able)} can be planned with the options above"
    return [Line("families", not lines, False, told), *lines]


def _nowhere(found: installations.Installation, known: engine_options.Known) -> Workspace:
    place = Path("/nowhere")
    return Workspace(
        native=place, output=place, logs=place, home=found.home, python=found.python, gpus=(0,),
        options=known.options,
    )  # fmt: skip


def groups(data: Mapping[str, Any]) -> dict[str, set[str]]:
    """Names of the options of each script or class."""
    return {group: set(keys) for group, keys in data.get("classes", data).items()}


def _gpus() -> list[Line]:
    report = current().gpus.report()
    if not report.gpus:
        text = report.problem or "no GPU found"
        where = "here jobs" if current().settings.executor == "slurm" else "jobs"
        return [Line("GPU", False, False, f"{text}; {where} run on the CPU, one at a time")]
    return [
        Line(f"GPU {g.index}", True, False, f"{g.name}, {(g.memory_total or 0) / 2**30:.0f} GB")
        for g in report.gpus
    ]


def _slurm() -> list[Line]:
    """Whether the cluster answers, and has the GPU that jobs ask for."""
    platform = current()
    if platform.cluster is None:
        return []
    needed = platform.settings.executor == "slurm"
    report = platform.cluster.report(patience=SLURM_SECONDS)
    if report.cluster is None:
        return [Line("Slurm", False, needed, report.problem or "no answer yet")]
    card = cluster_card(platform, {"executor": "slurm"})
    gpus = ", ".join(
        f"{one.free} of {one.total} {one.type or 'GPUs'} free" for one in report.cluster.gpus
    )
    lines = [
        Line("Slurm", True, needed, f"{len(report.cluster.nodes)} machines; {gpus or 'no GPU'}")
    ]
    if card is not None:
        size = f"{card.gb:g} GB" if card.gb else "memory"
        told = (
            card.warnings[0]
            if card.warnings
            else f"smallest GPU in {card.where}: {size} ({card.note})"
        )
        lines.append(Line("partition", not card.warnings, False, told))
    return lines


def _disk() -> Line:
    settings = current().settings
    free = shutil.disk_usage(settings.data_dir).free / GB
    enough = free >= settings.disk_soft_gb
    return Line("disk", enough, True, f"{free:.0f} GB free in {settings.data_dir}")


def _writable() -> Line:
    jobs = current().settings.jobs_dir
    ok = os.access(jobs, os.W_OK)
    return Line("data folder", ok, True, f"{jobs} can{'' if ok else 'not'} be written")


def _token() -> Line:
    settings = current().settings
    if settings.hf_hub_offline:
        return Line("Hugging Face", False, False, HUB_OFFLINE)
    has = bool(base_models.hf_token(settings))
    text = "a token is set" if has else "no HF_TOKEN: gated models cannot be downloaded"
    return Line("Hugging Face", has, False, text)
