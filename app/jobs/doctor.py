"""Says whether jobs can run here: engines, GPUs, disk, tokens, one line each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.jobs import engine_options, installations
from app.platform import current
from engines.spec import ENGINE_NAMES, EngineName

GB = 1_000_000_000


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
    return [*engines, *_gpus(), _disk(), _writable(), _token()]


def _engine(name: EngineName) -> Line:
    found = installations.find(current().settings, name)
    problem = found.problem or installations.interpreter_runs(found)
    if problem:
        return Line(name, False, True, f"{problem} To install: {found.how}")
    options, why = engine_options.of(found)
    told = why or f"options {options.source}"
    return Line(name, True, True, f"{found.home} with {found.python}; {told}")


def _conformance(name: str) -> list[Line]:
    """How the installed engine's options differ from those of the pinned commit."""
    found = next(i for i in installations.find_all(current().settings) if i.name == name)
    if found.problem:
        return []
    ours = flat(found.engine.shipped_options().data)
    theirs = flat(engine_options.of(found)[0].data)
    lines = []
    for what, names in (("only installed", theirs - ours), ("only in the pin", ours - theirs)):
        text = ", ".join(sorted(names)[:12]) + (" ..." if len(names) > 12 else "")
        lines.append(Line(what, True, False, f"{len(names)} options{': ' if names else ''}{text}"))
    return lines


def flat(data: Mapping[str, Any]) -> set[str]:
    """Names of options, as script.option or class.key."""
    groups = data.get("classes", data)
    return {f"{group}.{key}" for group, keys in groups.items() for key in keys}


def _gpus() -> list[Line]:
    report = current().gpus.report()
    if not report.gpus:
        text = report.problem or "no GPU found"
        return [Line("GPU", False, False, f"{text}; jobs run on the CPU, one at a time")]
    return [
        Line(f"GPU {g.index}", True, False, f"{g.name}, {(g.memory_total or 0) / GB:.0f} GB")
        for g in report.gpus
    ]


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
    has = bool(current().settings.hf_token)
    text = "HF_TOKEN is set" if has else "no HF_TOKEN: gated models cannot be downloaded"
    return Line("Hugging Face", has, False, text)
