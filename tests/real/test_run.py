"""A LoRA, end to end, with the real engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from app.jobs import processes
from tests.support.wait import until

pytestmark = pytest.mark.engine


def test_run_trains_samples_saves_and_writes_a_lora_of_the_asked_rank(desk):
    done = desk.lora("run", str(desk.spec()), "--json")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    job = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    # 12 steps were asked for; kohya_ss trains whole epochs of 8.
    planned = {"kohya_ss": 16, "ai-toolkit": 12}[desk.engine]
    assert job["step"] == job["total_steps"] == planned
    output = desk.data / "jobs" / str(job["id"]) / "output"
    final = next(output.rglob("tiny.safetensors"))
    with safe_open(final, framework="numpy") as lora:
        downs = [lora.get_tensor(key) for key in lora.keys() if "lora_down" in key]  # noqa: SIM118
    assert downs
    assert {tensor.shape[0] for tensor in downs} == {4}
    assert [p for p in output.rglob("*") if p.suffix in (".png", ".jpg")]


def test_exit_is_not_0_when_the_loss_was_never_a_number(desk):
    spec = desk.spec(optimizer={"name": "adamw", "learning_rate": 1e30})
    done = desk.lora("run", str(spec), "--json")
    assert done.returncode == 1
    job = json.loads(done.stdout)
    assert job["state"] == "failed"
    assert "not a number" in job["reason"] or "NaN" in job["reason"]


def test_a_stop_in_mid_run_leaves_no_process_and_ends_as_cancelled(desk):
    spec = desk.spec(length={"steps": 4000}, saving={"every_steps": 4000})
    command = [sys.executable, "-m", "app.cli", "run", str(spec), "--json"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command,
        cwd=root,
        env=desk.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:

        def job():
            found = json.loads(desk.lora("list", "--json").stdout or "[]")
            return found[0] if found else {}

        until(lambda: (job().get("step") or 0) > 2, timeout=240, what="the third step")
        launch = json.loads((desk.data / "jobs/1/attempts/1/launch.json").read_text())
        assert processes.marked(launch["marker"])
        asked = time.monotonic()
        assert desk.lora("stop", "1").returncode == 0
        out, _ = run.communicate(timeout=120)
    assert json.loads(out)["state"] == "cancelled"
    assert processes.marked(launch["marker"]) == []
    assert time.monotonic() - asked < 60
    assert os.path.exists(desk.data / "jobs/1/attempts/1/exit.json")
