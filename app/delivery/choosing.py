"""Which files of a job go to a target, and under which names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app import artifacts
from app.artifacts import Artifact
from app.jobs import service
from app.jobs.rundir import REPORT
from app.models import Job
from engines.adapter import ENGINES

What = Literal["lora", "checkpoints", "samples", "config", "report"]
WHAT: dict[What, str] = {
    "lora": "Finished LoRA",
    "checkpoints": "All checkpoints",
    "samples": "Samples",
    "config": "Spec, native config and run card",
    "report": "Report",
}
CARD = "README.md"


@dataclass(frozen=True)
class Chosen:
    """A file by its path below the run directory, and its path at the target."""

    source: str
    path: str


def choose(job: Job, what: Iterable[What]) -> tuple[Chosen, ...]:
    """The files that exist now, each path once."""
    wanted = set(what)
    run = service.run_dir(job)
    found = artifacts.find(run.output, ENGINES[job.engine], job.name)
    paths: list[tuple[Path, str]] = []
    if "checkpoints" in wanted:
        paths += [(a.path, a.path.name) for a in found.loras]
    elif "lora" in wanted and (lora := finished(found.loras)):
        paths.append((lora.path, lora.path.name))
    if "samples" in wanted:
        paths += [(a.path, f"samples/{a.path.name}") for a in found.samples]
    if "config" in wanted:
        kept = [run.spec, run.run_card, *sorted(run.native.glob("*"))]
        paths += [(path, path.relative_to(run.root).as_posix()) for path in kept]
    if "report" in wanted:
        paths.append((run.report, REPORT))
    named = {path: source for source, path in paths if source.is_file() and not source.is_symlink()}
    return tuple(Chosen(s.relative_to(run.root).as_posix(), p) for p, s in named.items())


def finished(loras: tuple[Artifact, ...]) -> Artifact | None:
    """The finished LoRA; where there is none, the newest checkpoint."""
    return loras[-1] if loras else None
