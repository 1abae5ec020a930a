"""The buckets that a dataset's pictures land in at a resolution."""

from __future__ import annotations

from sqlalchemy import func, select

from app.db import db
from app.models import Dataset, DatasetItem
from engines import bucketing
from engines.adapter import ENGINES
from engines.registry import EngineName
from engines.spec import Buckets


def sizes(dataset: Dataset, engine: EngineName) -> list[tuple[int, int, int]]:
    """Width, height and how many pictures have them, as the engine reads them."""
    item = DatasetItem
    query = (
        select(func.coalesce(item.width, 0), func.coalesce(item.height, 0), item.turned, func.count())
        .where(
            item.dataset_id == dataset.id, item.trashed == "", item.kind == "image",
            item.problem == "", item.width > 0, item.height > 0,
        )
        .group_by(item.width, item.height, item.turned)
    )  # fmt: skip
    turns = ENGINES[engine].traits.reading.turns
    return [
        (height, width, count) if turned and turns else (width, height, count)
        for width, height, turned, count in db.session.execute(query)
    ]


def rows(
    dataset: Dataset,
    engine: EngineName,
    resolution: int,
    *,
    step: int = 64,
    upscale: bool = False,
    divisor: int = 16,
) -> list[bucketing.Row]:
    """Fullest bucket first. ``step`` and ``upscale`` are kohya_ss's, ``divisor`` ai-toolkit's."""
    return bucketing.table(
        engine, sizes(dataset, engine), resolution, Buckets(step=step, upscale=upscale),
        divisor=divisor,
    )  # fmt: skip
