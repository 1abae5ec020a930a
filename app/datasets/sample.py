"""A dataset to try: pictures drawn by a task, with captions, so that nobody has to bring any.

Made again where it was deleted; whatever of it is there already is left as it is.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from app import tasks
from app.datasets import library, scanning
from app.db import db
from app.models import Dataset
from app.tasks import Work

KIND = "dataset.sample"
NAME = "sample-robot"
TRIGGER_WORD = "vlbot"
PROMPT = "a small robot riding a bicycle through a city"
"""What its first samples show: the robot where no picture has it."""


def find() -> Dataset | None:
    """The sample dataset where it was made and is not removed. Needs a context."""
    return library.by_path(library.settings().datasets_dir / NAME)


def start() -> Dataset:
    """Have it drawn, unless it is there or being drawn. Needs a context."""
    dataset = find()
    if dataset is None:
        folder = library.settings().datasets_dir / NAME
        # A folder of that name that nobody registered yet is one that was begun here.
        dataset = library.register(folder) if folder.is_dir() else library.create(NAME)
        dataset.trigger_word = TRIGGER_WORD
        db.session.commit()
    work = tasks.latest(f"dataset:{dataset.id}", KIND)
    if work is None or work.state in ("failed", "cancelled"):
        tasks.start(KIND, f"dataset:{dataset.id}", {"dataset": dataset.id})
    return dataset


def run(work: Work) -> dict[str, Any]:
    """In the child. A picture and its caption appear whole or not at all."""
    from app.datasets.sample_drawing import draw
    from app.datasets.sample_scenes import SCENES

    with work.database():
        folder = library.folder(library.get(work.arguments["dataset"]))
    for number, scene in enumerate(SCENES):
        work.progress(number, len(SCENES), "Drawing", unit="pictures")
        place = folder / f"robot-{number + 1:02}.png"
        if place.exists():
            continue
        drawn = io.BytesIO()
        draw(scene, number).save(drawn, "PNG", optimize=True)
        # The caption first: a picture is never there without it.
        _write(place.with_suffix(".txt"), scene.caption.encode())
        _write(place, drawn.getvalue())
    with work.database():
        scanning.scan(library.get(work.arguments["dataset"]))
    return {"pictures": len(SCENES)}


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.write_bytes(data)
    new.replace(path)
