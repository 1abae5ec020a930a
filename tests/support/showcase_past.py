"""Makes the jobs of the showcase look as if they had trained for their time on a card."""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from app.jobs.curves import Curves
from app.jobs.points import Point, append_points, read_points
from app.jobs.rundir import RunDir
from tests.support.showcase_pictures import sample
from tests.support.trainer import lora_bytes

PACE = 1.31
"""Seconds a step that the jobs seem to have taken."""
EVERY = 250
FULLY_LEARNT = 1500


def dress(folder: Path, prompts: Sequence[str], steps: int) -> None:
    """Samples and losses of a job that is over."""
    run, kohya = RunDir(folder), (folder / "native/config.toml").exists()
    name = min(file.stem for file in run.output.rglob("*.safetensors"))
    for step in range(0, steps + 1, 2 * EVERY if kohya else EVERY):
        samples(run.output, name, step, len(prompts), kohya=kohya)
    losses(run, steps, time.time() - 3600, seed=int(folder.name))


def begin(folder: Path, name: str, prompts: Sequence[str], steps: int) -> None:
    """A job that has come so far already: the engine goes on from its newest file."""
    run = RunDir(folder)
    for step in range(0, steps + 1, EVERY):
        samples(run.output, name, step, len(prompts))
    for step in range(400, steps + 1, 400):
        file = run.output / name / f"{name}_{step:09d}.safetensors"
        file.write_bytes(lora_bytes(32, step=step, engine="ai-toolkit", blocks=48, wide=1280))
    losses(run, steps, time.time(), seed=9)


def samples(output: Path, name: str, step: int, prompts: int, *, kohya: bool = False) -> None:
    """One of each prompt, as the engine names them."""
    folder = output / "sample" if kohya else output / name / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in range(prompts):
        picture = sample(prompt, min(1.0, step / FULLY_LEARNT), 5 if kohya else 3)
        stem = (
            f"{name}_{step:06}_{prompt:02}_20261101120000_42"
            if kohya
            else f"1795444136000__{step:09}_{prompt}"
        )
        picture.save(folder / f"{stem}.png")


def losses(run: RunDir, steps: int, ended: float, *, seed: int) -> None:
    """A curve as a training draws it: down, noisy, and one spike."""
    # Taken in as the runner takes them in, which hears nothing of these.
    chance = random.Random(seed)
    at = [ended - (steps - step) * PACE for step in range(steps + 1)]
    append_points(
        run.metrics,
        [
            Point(1, step, at[step], _loss(step, chance), 1e-4 * _warm(step, steps))
            for step in range(1, steps)
        ],
    )
    Curves(run.curves).build(read_points(run.metrics))


def _loss(step: int, chance: random.Random) -> float:
    fall = 0.07 + 0.1 * math.exp(-step / 300)
    return max(0.02, fall + chance.gauss(0, 0.016) + 0.25 * (step == 640))


def _warm(step: int, steps: int) -> float:
    return min(1.0, step / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps / 1.2))


def age(database: Path) -> None:
    """The jobs took the time of their steps and ended one after the other, until an hour ago."""
    with closing(sqlite3.connect(database)) as rows, rows:
        found = rows.execute("SELECT id, step FROM job ORDER BY id DESC").fetchall()
        end = time.time() - 3600
        for job, step in found:
            start = end - step * PACE
            pace = PACE if step > 300 else None
            rows.execute(
                "UPDATE job SET created=?, started=?, finished=?, seconds_per_step=? WHERE id=?",
                (start - 40, start, end, pace, job),
            )
            rows.execute("UPDATE attempt SET started=?, ended=? WHERE job_id=?", (start, end, job))
            events = rows.execute("SELECT id, new FROM job_event WHERE job_id=?", (job,)).fetchall()
            moments = {"queued": start - 40, "starting": start, "running": start + 21}
            rows.executemany(
                "UPDATE job_event SET at=? WHERE id=?",
                [(moments.get(new, end), event) for event, new in events],
            )
            end = start - 300


def backdate(database: Path, job: int, steps: int) -> None:
    """A job that runs began when it would have needed to, to have come so far."""
    start = time.time() - steps * PACE
    with closing(sqlite3.connect(database, timeout=20)) as rows, rows:
        rows.execute("UPDATE job SET created=?, started=? WHERE id=?", (start - 40, start, job))
        rows.execute("UPDATE attempt SET started=? WHERE job_id=?", (start, job))
        rows.execute("UPDATE job_event SET at=? WHERE job_id=?", (start, job))
