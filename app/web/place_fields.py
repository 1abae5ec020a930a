"""The fields of the form that say where a job runs, where there is a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.jobs import elsewhere
from app.models import Job
from app.settings import Settings

if TYPE_CHECKING:
    from app.slurm.nodes import Cluster, Gpus

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
_CARD = (PREFIX + "partition", PREFIX + "gpu_type")


@dataclass(frozen=True)
class PlaceFields:
    """What fragments/job_place.html draws. ``fields`` are (name, title, help, what is usual).

    ``offers`` are values to choose from, with what they give now, where Slurm told them.
    ``drawn_from`` are the fields that say which card it is, on which others depend.
    """

    executors: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str, str, str], ...]
    filled: int
    offers: Mapping[str, tuple[tuple[str, str], ...]]
    names: tuple[str, ...] = NAMES
    drawn_from: tuple[str, ...] = _CARD


def draw(
    settings: Settings, form: Mapping[str, str], cluster: Cluster | None = None
) -> PlaceFields | None:
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
        offers=_offers(cluster) if cluster else {},
    )


def _offers(cluster: Cluster) -> dict[str, tuple[tuple[str, str], ...]]:
    """Partitions and types of GPU, each with how many are free."""
    partitions = ((one.name, _free(one.gpus)) for one in cluster.partitions if one.is_up)
    types = ((one.type, _free((one,))) for one in cluster.gpus if one.type)
    return {PREFIX + "partition": tuple(partitions), PREFIX + "gpu_type": tuple(types)}


def _free(found: tuple[Gpus, ...]) -> str:
    told = (f"{one.free} of {one.total} {one.type or 'GPUs'} free" for one in found)
    return ", ".join(told) or "no GPU"


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
