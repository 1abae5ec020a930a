"""Under Slurm the runner has a companion that writes how the GPUs are doing, and that is never in its way."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from app.settings import ROOT
from tests.support.wait import until

pytestmark = pytest.mark.e2e  # real processes

SMI = """#!/bin/sh
echo "$@" > {asked}
echo "0, NVIDIA A100-SXM4-80GB, 81920, {used}, 97, 61, 312.45"
echo "1, NVIDIA A100-SXM4-80GB, 81920, 100, [N/A], 40, [Not Supported]"
"""


@pytest.fixture
def smi(tmp_path):
    """A function that puts an nvidia-smi in place; its folder is the only one on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(text):
        (folder / "new").write_text(text)
        (folder / "new").chmod(0o755)
        (folder / "new").rename(folder / "nvidia-smi")
        return folder

    return put


def start(tmp_path, trainer, seconds="0.05", **env):
    command = [
        sys.executable,
        "-I",
        "-S",
        ROOT / "scripts/gpu_readings.py",
        tmp_path,
        str(trainer.pid),
    ]
    path = f"{tmp_path / 'bin'}:{os.defpath}"
    return subprocess.Popen([*command, seconds], env={"PATH": path, **env})


@pytest.fixture
def trainer():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def rows(tmp_path, name="gpu.jsonl"):
    path = tmp_path / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_line_tells_the_gpus_of_the_job_and_their_machine(tmp_path, smi, trainer):
    smi(SMI.format(asked=tmp_path / "asked", used=30000))
    beside = start(tmp_path, trainer, CUDA_VISIBLE_DEVICES="0,1", SLURMD_NODENAME="gpu7")
    until(lambda: len(rows(tmp_path)) > 1, 20, "a second line")
    trainer.kill()
    assert beside.wait(10) == 0
    first, row = rows(tmp_path)[:2]
    assert row["node"] == "gpu7"
    assert row["gpus"][0] == {
        "index": 0, "name": "NVIDIA A100-SXM4-80GB", "memory_total": 81920 << 20,
        "memory_used": 30000 << 20, "utilisation": 97, "temperature": 61, "power": 312.45,
    }  # fmt: skip
    # What a card does not tell is not told as zero.
    assert (row["gpus"][1]["utilisation"], row["gpus"][1]["power"]) == (None, None)
    assert 0 < row["memory_used"] < row["memory_total"]
    assert row["peak"] == 30000 << 20
    assert row["at"] >= first["at"]
    assert (tmp_path / "asked").read_text().split()[-1] == "--id=0,1"


def test_the_peak_is_kept_when_less_is_in_use(tmp_path, smi, trainer):
    smi(SMI.format(asked="/dev/null", used=500))
    beside = start(tmp_path, trainer)
    until(lambda: rows(tmp_path), 20, "a line")
    smi(SMI.format(asked="/dev/null", used=200))
    until(lambda: rows(tmp_path)[-1]["gpus"][0]["memory_used"] == 200 << 20, 20, "a newer line")
    assert rows(tmp_path)[-1]["peak"] == 500 << 20
    trainer.kill()
    assert beside.wait(10) == 0


def test_without_nvidia_smi_there_is_the_machine_alone(tmp_path, trainer):
    beside = start(tmp_path, trainer, PATH=str(tmp_path))
    until(lambda: rows(tmp_path), 20, "a line")
    assert rows(tmp_path)[0]["gpus"] == []
    trainer.kill()
    assert beside.wait(10) == 0


def test_two_files_of_a_limited_size_are_kept(tmp_path, trainer):
    (tmp_path / "gpu.jsonl").write_text("{}\n" * 70_000)
    beside = start(tmp_path, trainer, PATH=str(tmp_path))
    until(lambda: (tmp_path / "gpu.jsonl.1").exists(), 20, "the full file is set aside")
    until(lambda: rows(tmp_path), 20, "a new one")
    assert (tmp_path / "gpu.jsonl").stat().st_size < 100_000
    trainer.kill()
    assert beside.wait(10) == 0


@pytest.mark.parametrize("slurm", [True, False])
def test_the_companion_ends_with_the_trainer_and_is_no_leftover(tmp_path, slurm):
    # A busy machine may need a while to start the companion: the trainer ends once it is there.
    wait = "until [ -s gpu.jsonl ]; do sleep 0.02; done" if slurm else "exit 0"
    launch = {"argv": ["sh", "-c", wait], "cwd": str(tmp_path), "marker": "m", "stop": []}
    handed = {"slurm": {"job_id": 7}} if slurm else {}
    (tmp_path / "launch.json").write_text(json.dumps({"version": 1, **launch, **handed}))
    # The dashboard may itself run as a job of Slurm: the environment tells nothing.
    env = {"PATH": os.defpath, "SLURM_JOB_ID": "7"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "scripts/run_job.py", tmp_path],
        env=env, check=False, timeout=60,
    )  # fmt: skip
    record = json.loads((tmp_path / "exit.json").read_text())
    assert done.returncode == 0
    assert (record["code"], record["signal"], record["leftovers_killed"]) == (0, None, 0)
    assert (tmp_path / "log.txt").read_text() == ""
    # Nobody waited the two seconds that leftovers get.
    assert (tmp_path / "exit.json").stat().st_mtime - record["ended"] < 1.9


def test_a_stop_kills_the_companion_without_counting_it(tmp_path):
    step = {"kind": "signal", "signal": "SIGKILL", "to": "all", "grace": 0}
    launch = {"argv": ["sleep", "60"], "cwd": str(tmp_path), "marker": "m", "stop": [step]}
    launch["slurm"] = {"job_id": 7}
    (tmp_path / "launch.json").write_text(json.dumps({"version": 1, **launch}))
    runner = subprocess.Popen(
        [sys.executable, "-I", "-S", ROOT / "scripts/run_job.py", tmp_path],
        env={"PATH": os.defpath},
    )
    until(lambda: "trainer" in (tmp_path / "launch.json").read_text(), 20, "the trainer runs")
    (tmp_path / "stop.json").write_text(json.dumps({"wish": "stop", "steps": None}))
    runner.terminate()
    assert runner.wait(20) == 0
    record = json.loads((tmp_path / "exit.json").read_text())
    assert (record["signal"], record["stopped"], record["leftovers_killed"]) == ("SIGKILL", True, 0)


def test_a_runner_that_is_killed_leaves_no_trainer_behind(tmp_path):
    """A proctrack that follows parents loses sight of what a killed runner leaves."""
    marker = "1.1.of-this-test"
    (tmp_path / "launch.json").write_text(json.dumps({"marker": marker}))
    code = (
        "import os, subprocess, sys, time\n"
        "mark = {**os.environ, 'VAST_LORA_ATTEMPT': sys.argv[3]}\n"
        "trainer = subprocess.Popen(['sleep', '60'], env=mark, start_new_session=True)\n"
        "subprocess.Popen([sys.executable, '-I', '-S', sys.argv[1], sys.argv[2],\n"
        "                  str(trainer.pid), '0.05'])\n"
        "print(trainer.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", code, ROOT / "scripts/gpu_readings.py", tmp_path, marker],
        stdout=subprocess.PIPE,
    )
    trainer = int(runner.stdout.readline())
    until((tmp_path / "gpu.jsonl").exists, 20, "the companion looks")
    runner.kill()
    runner.wait()
    runner.stdout.close()
    until(lambda: not os.path.exists(f"/proc/{trainer}"), 20, "the trainer is ended")
