"""Rows for ``scripts/bench.sh datasets``: the pages of one dataset at 10,000 pictures, and its report."""

from __future__ import annotations

import gzip
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from sqlalchemy import insert

from app.datasets import examining, library, scanning
from app.db import db
from app.models import DatasetItem
from tests.support.pictures import picture

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
    body, spent = call(), []
    for _ in range(times):
        begin = time.perf_counter()
        body = call()
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent) * 1000, len(gzip.compress(body, 5))


def pages(app: Flask, folder: Path, count: int = MANY) -> list[tuple[str, str]]:
    """Server time and size of the grid in its harder forms; target under 100 ms and 60 KB."""
    number = fill(app, folder, count)
    client = app.test_client()
    rows = []
    for label, query in (
        ("grid", ""), ("grid, last page", "?page=167"), ("search", "?q=tag+3"),
        ("filter", "?show=no-caption"), ("one tag", "?tag=tag+7"), ("by common tags", "?sort=tags"),
    ):  # fmt: skip
        spent, size = _measured(lambda q=query: client.get(f"/datasets/{number}{q}").data)
        rows.append((f"{label}, {count} pictures", f"{spent:.0f} ms, {size / 1000:.1f} kB gzip"))
    spent, size = _measured(lambda: client.get(f"/datasets/{number}/tiles?page=2").data)
    rows.append((f"next 60 tiles, {count} pictures", f"{spent:.0f} ms, {size / 1000:.1f} kB gzip"))
    return rows


def report(app: Flask, folder: Path, count: int = 200, edge: int = 1024) -> list[tuple[str, str]]:
    """Pictures a second that the health report reads whole."""
    for n in range(count):
        picture(folder / f"{n}.{'png' if n % 2 else 'jpg'}", (edge, edge), seed=n)
    with app.app_context():
        dataset = library.register(folder)
        scanning.scan(dataset)
        begin = time.perf_counter()
        examining.examine(dataset, lambda _done, _total: None)
        spent = time.perf_counter() - begin
    label = f"report of {count} pictures of {edge}x{edge}, half JPEG half PNG"
    return [(label, f"{count / spent:.0f} pictures/s")]
