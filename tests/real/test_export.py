"""An exported job trains with the real engine and without any of us."""

from __future__ import annotations

import os
import subprocess

import pytest
from safetensors import safe_open

pytestmark = pytest.mark.engine


def test_an_exported_job_trains_by_its_script_in_a_folder_with_spaces(desk, tmp_path):
    spec = desk.spec(length={"steps": 4}, saving={"every_steps": 4}, sampling={"prompts": []})
    folder = tmp_path / "un packed \"here\" & 'there'"
    made = desk.lora("export", str(spec), "--engine", desk.engine, "--out", str(folder))
    assert made.returncode == 0, made.stderr
    assert f"needs base_model: {desk.model}" in made.stdout
    assert not desk.data.exists()
    # The export remembers where the engine is; nothing of ours is in the environment.
    ours = ("AI_TOOLKIT", "KOHYA_SS", "DATA_DIR", "AITK_", "TINY_", "PYTHON", "VIRTUAL_ENV")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [str(folder / "run.sh")], env=env, cwd="/", capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    final = next((folder / "output").rglob("tiny.safetensors"))
    with safe_open(final, framework="numpy") as lora:
        downs = [lora.get_tensor(key) for key in lora.keys() if "lora_down" in key]  # noqa: SIM118
    assert {tensor.shape[0] for tensor in downs} == {4}
    assert not (folder / "control.db").exists()
