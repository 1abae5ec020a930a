"""A job that is over, with a LoRA, a checkpoint, samples and papers in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Flask

from app.jobs import service, store
from app.jobs.states import JobState
from app.models import Job


def finished_job(app: Flask, state: JobState = JobState.SUCCEEDED, name: str = "dog") -> Job:
    """Needs an application context. The files are those of kohya_ss."""
    document: dict[str, Any] = {
        "name": name, "family": "sd15", "engine": "kohya_ss", "base_model": "stable/sd-15",
        "trigger_word": "zxq dog", "datasets": [{"path": "/data/dog"}], "length": {"steps": 40},
        "sampling": {"prompts": ["zxq dog on a beach", "a zxq dog | asleep"]},
    }  # fmt: skip
    job = store.add(
        name=name, family="sd15", engine="kohya_ss", document=json.dumps(document), total_steps=40
    )
    run = service.run_dir(job)
    write(run.spec, "name: dog\n")
    write(run.run_card, "{}")
    write(run.native / "config.toml", "x = 1\n")
    write(run.output / f"{name}-000001.safetensors", "checkpoint" * 200)
    write(run.output / f"{name}.safetensors", "finished" * 300)
    for prompt in range(2):
        write(run.output / f"sample/{name}_e000001_0{prompt}_20260101000000_42.png", f"p{prompt}")
    store.move(job, JobState.STARTING, attempt=1)
    store.open_attempt(job, number=1)
    store.move(job, JobState.RUNNING)
    store.change(job, step=40, loss=0.0712)
    if state is JobState.CANCELLED:
        store.move(job, JobState.STOPPING)
    store.move(job, state, "out of memory" if state is JobState.FAILED else "")
    return job


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
