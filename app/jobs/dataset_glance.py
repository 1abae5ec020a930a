"""A look at each dataset of a job to be: its health in short, and the buckets it will give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.datasets import health, library
from app.datasets.remembering import Kept
from app.models import Dataset
from engines import bucketing, families
from engines.ai_toolkit.length import divisor_of
from engines.base import DatasetFacts
from engines.spec import EngineName, JobSpec

_healths = Kept[health.Health | None](16)


@dataclass(frozen=True)
class Glance:
    """``dataset`` is None for a folder that is no dataset of this program yet."""

    name: str
    dataset: Dataset | None
    health: health.Health | None
    edge: int
    buckets: Sequence[bucketing.Row]


def glances(
    spec: JobSpec, engine: EngineName, facts: Sequence[DatasetFacts] | None
) -> list[Glance]:
    """One for each dataset and resolution. Needs a context; reads rows, at most lists a folder."""
    family = families.get(spec.family)
    divisor = divisor_of(family.ai_toolkit.arch if family and family.ai_toolkit else "")
    found = []
    for index, dataset in enumerate(spec.datasets):
        if not dataset.path.strip():
            continue
        path = Path(dataset.path)
        row = library.by_path(path)
        for number, edge in enumerate(dataset.resolution):
            sizes = facts[index].sizes if facts is not None else ()
            table = bucketing.table(engine, sizes, edge, spec.buckets, divisor=divisor)
            healthy = _health(row, edge) if row is not None and number == 0 else None
            found.append(Glance(path.name, row, healthy, edge, table))
    return found


def _health(dataset: Dataset, edge: int) -> health.Health | None:
    def make() -> health.Health | None:
        try:
            return health.examine(dataset, edge)
        except OSError:
            return None  # the check of the folder itself says so

    key = (dataset.id, dataset.trigger_word, edge)
    return _healths.get(key, dataset.version, 0.0, make)
