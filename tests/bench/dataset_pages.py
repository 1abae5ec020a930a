"""Rows for ``scripts/bench.sh datasets``: the pages of one dataset at 10,000 pictures, and its report."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from sqlalchemy import insert

from app.datasets import examining, library, scanning
from app.db import db
from app.models import DatasetItem
from tests.bench.limits import median
from tests.bench.table import Table, watch
from tests.support.pictures import picture
from tests.support.platform import close_all, make_app

MANY = 10_000
_TAGS = [f"tag {n}" for n in range(400)]


def fill(app: Flask, folder: Path, count: int = MANY) -> int:
    """A dataset of so many rows, without their files; its number."""
    numbers = random.Random(1)
    folder.mkdir(parents=True)
    with app.app_context():
        dataset = library.register(folder)
        rows = []
        for n in range(count):
            tags = sorted({_TAGS[int(400 * numbers.random() ** 3)] for _ in range(18)})
            rows.append({
                "dataset_id": dataset.id, "name": f"picture {n:05}.png", "size": 10**6,
                "mtime_ns": 10**18 + n, "width": 1024, "height": 1024, "format": "PNG",
                "caption": ", ".join(tags) if n % 20 else None, "kind": "image",
                "caption_name": f"picture {n:05}.txt" if n % 20 else "",
            })  # fmt: skip
        db.session.execute(insert(DatasetItem), rows)
        dataset.scanned = time.time() + 10**6  # its files are not there: nobody shall look
        db.session.commit()
        return dataset.id


def _measured(call: Callable[[], bytes], times: int = 7) -> tuple[float, int]:
    """Median milliseconds, and bytes on the wire."""
    return median(call, times) * 1000, len(gzip.compress(call(), 5))


def pages(table: Table, app: Flask, folder: Path, count: int = MANY) -> None:
    """Server time and size of the grid in its harder forms; target under 100 ms and 60 KB."""
    number = fill(app, folder, count)
    client = app.test_client()

    def changed() -> bytes:
        """The page after a change: what it counts is counted anew."""
        with app.app_context():
            library.get(number).version += 1
            db.session.commit()
        return bytes(client.get(f"/datasets/{number}").data)

    spent, _ = _measured(changed)
    table.add(f"grid of {count} pictures after a change (asked: 100 ms)", f"{spent:.0f} ms")
    for label, query in (
        ("grid", ""), ("last page", "?page=167"), ("search", "?q=tag+3"),
        ("filter", "?show=no-caption"), ("one tag", "?tag=tag+7"), ("by common tags", "?sort=tags"),
    ):  # fmt: skip
        spent, size = _measured(lambda q=query: client.get(f"/datasets/{number}{q}").data)
        told = f"{spent:.0f} ms, {size / 1000:.1f} kB"
        table.add(f"{label} of {count} pictures (asked: 100 ms, 60 kB gzip)", told)
    spent, size = _measured(lambda: client.get(f"/datasets/{number}/tiles?page=2").data)
    table.add("the next 60 tiles while one scrolls", f"{spent:.0f} ms, {size / 1000:.1f} kB")


def report(table: Table, app: Flask, folder: Path, count: int = 400, edge: int = 1024) -> None:
    """Pictures a second that the health report reads whole, in one process."""
    for n in range(count):
        picture(folder / f"{n}.{'png' if n % 4 == 0 else 'jpg'}", (edge, edge), seed=n)
    with app.app_context():
        dataset = library.register(folder)
        scanning.scan(dataset)
        with watch() as once:
            examining.examine(dataset, lambda _done, _total: None)
        with watch() as again:
            examining.examine(dataset, lambda _done, _total: None)
    label = f"health report of {count} pictures of {edge}x{edge}, a quarter PNG"
    table.add(label, f"{count / once.seconds:.0f} pictures/s; again {again.seconds:.2f} s")


def bench_editing(table: Table, folder: Path) -> None:
    """Both, on an application of their own."""
    app = make_app(folder / "pages")
    try:
        pages(table, app, folder / "many")
        report(table, app, folder / "few")
    finally:
        close_all()
