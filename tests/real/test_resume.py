"""Everything killed at once, twice: the LoRA is trained as if nothing had happened."""

from __future__ import annotations

import os
import signal

import pytest
from safetensors import safe_open

from app.jobs import processes
from app.jobs.rundir import read_json
from tests.support.server import Server
from tests.support.wait import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def kill_everything(server):
    """As an outbid instance: server, runner and trainer are gone in one moment."""
    newest = max(
        server.data.glob("jobs/1/attempts/*/launch.json"), key=lambda p: int(p.parent.name)
    )
    marker = read_json(newest)["marker"]
    if server.process is not None:
        os.killpg(server.process.pid, signal.SIGKILL)
    # The runner before its trainer: alive for a moment longer it would tell how that one ended.
    runner = read_json(newest)["runner"]
    if processes.is_alive(runner["pid"], runner["start_time"]):
        os.kill(runner["pid"], signal.SIGKILL)
    processes.end(processes.marked(marker))
    server.process.wait()
    server.process = None
    until(lambda: not processes.marked(marker), 10, "every process is gone")


def weights(path):
    with safe_open(path, framework="numpy") as lora:
        return {key: lora.get_tensor(key) for key in lora.keys()}  # noqa: SIM118


def train(desk, folder, *, kills):
    folder.mkdir()
    server = Server(folder, {k: v for k, v in desk.env.items() if k != "DATA_DIR"})
    server.start()
    steps = 48
    document = desk.document(
        length={"steps": steps}, saving={"every_steps": 8, "keep": 8}, sampling={"prompts": []},
        optimizer={"name": "adamw", "learning_rate": 1e-4, "scheduler": "cosine"},
        # Latents cached on disk by the first run would shift the random numbers of the second.
        memory={"mixed_precision": "no", "gradient_checkpointing": False, "cache_latents": "memory"},
    )  # fmt: skip
    server.post("/api/v1/jobs", document)
    for at in kills:
        until(lambda at=at: server.job(1)["step"] >= at, 180, f"step {at}", interval=0.05)
        kill_everything(server)
        server.start()
    job = server.wait_for(1, "succeeded", "failed", timeout=240)
    server.kill()
    assert job["state"] == "succeeded", job
    final = next((server.data / "jobs/1/output").rglob("tiny.safetensors"))
    return job, weights(final), server


def test_two_kills_of_everything_lose_no_step_and_repeat_none_in_the_result(desk, tmp_path):
    whole, expected, _ = train(desk, tmp_path / "whole", kills=())
    job, found, server = train(desk, tmp_path / "killed", kills=(18, 34))
    assert (whole["attempt"], job["attempt"]) == (1, 3)
    assert job["step"] == whole["step"] == job["total_steps"] == 48
    assert set(found) == set(expected)
    if desk.engine == "kohya_ss":
        # sd-scripts on a CPU repeats itself bit for bit, but for the caption order of one step.
        worst = max(float(abs(found[k] - expected[k]).max()) for k in expected)
        assert worst < 1e-3
    attempts = [read_json(p) for p in sorted(server.data.glob("jobs/1/attempts/*/launch.json"))]
    assert len(attempts) == 3
