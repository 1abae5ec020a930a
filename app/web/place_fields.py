"""The fields of the form that say where a job runs, where there is a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.jobs import elsewhere
from app.models import Job
from app.settings import Settings

_TITLES = {
    "partition": ("Partition", "Name of one, or several with commas."),
    "account": ("Account", "Who is charged."),
    "time_limit": ("Time limit", "90 (minutes), 12:00:00 or 2-00:00. Near its end the job saves and is queued again."),
    "constraint": ("Constraint", "Features that the node must have, such as a100|h100."),
    "gpu_type": ("GPU type", "As the cluster names it, such as a100."),
    "options": ("Further Slurm options", "Long options of sbatch: --cpus-per-task=8 --mem=32G"),
}  # fmt: skip
PREFIX = "place."
NAMES = tuple(PREFIX + name for name in ("executor", *_TITLES))


@dataclass(frozen=True)
class PlaceFields:
    """What fragments/job_place.html draws. ``fields`` are (name, title, help, what is usual)."""

    executors: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str, str, str], ...]
    filled: int
    names: tuple[str, ...] = NAMES


def draw(settings: Settings, form: Mapping[str, str]) -> PlaceFields | None:
    """None where jobs only run on this machine."""
    if settings.slurm is None:
        return None
    usual = settings.slurm.general.chosen()
    here = "Slurm" if settings.executor == "slurm" else "this machine"
    return PlaceFields(
        executors=(("", f"as set: {here}"), ("local", "this machine"), ("slurm", "Slurm")),
        fields=tuple(
            (PREFIX + name, title, text, usual.get(name, ""))
            for name, (title, text) in _TITLES.items()
        ),
        filled=sum(bool(form.get(name, "").strip()) for name in NAMES),
    )


def read(form: Mapping[str, str]) -> dict[str, str]:
    """What was chosen, for ``service.submit``."""
    return {name.removeprefix(PREFIX): form[name] for name in NAMES if form.get(name, "").strip()}


def of_job(job: Job) -> dict[str, str]:
    """The fields of a copy of a job."""
    said = {"executor": job.executor, **elsewhere.asked(job)}
    return {PREFIX + name: text for name, text in said.items() if text}


def title_of(name: str) -> str:
    """What a person calls a field."""
    return _TITLES.get(name.removeprefix(PREFIX), ("Where it runs", ""))[0]
