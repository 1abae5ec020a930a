"""The background work of a dataset: edits of many files, the health report, thumbnails."""

from __future__ import annotations

from typing import Any

from app.datasets import editing, examining, fixing, holding, library
from app.tasks import Work


def edit(work: Work) -> dict[str, Any]:
    """The task ``dataset.edit``: bring every edit to its end that is not there yet."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        editing.settle(
            dataset,
            lambda done, total: work.progress(done, total, unit="files"),
            wait=holding.BACKGROUND_SECONDS,
        )
        return {}


def report(work: Work) -> dict[str, Any]:
    """The task ``dataset.report``: read every picture whole that was not read since it changed."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        done = examining.examine(dataset, lambda n, total: work.progress(n, total, unit="files"))
        return {"examined": done}


def fix(work: Work) -> dict[str, Any]:
    """The task ``dataset.fix``: a fix that draws pictures. Killed, it has touched nothing yet, or it
    is finished like any edit."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        edit = fixing.fix(dataset, work.arguments["fix"])
        return {"edit": edit.id if edit is not None else None}


def thumbnails(work: Work) -> dict[str, Any]:
    """The task ``dataset.thumbnails``: all that are missing. Those made stay when it is killed."""
    with work.database():
        dataset = library.get(work.arguments["dataset"])
        return examining.draw_missing(
            work.settings, dataset, lambda n, total: work.progress(n, total, unit="pictures")
        )
