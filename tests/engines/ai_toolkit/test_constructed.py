"""The engine's own classes read every family's file as it was meant. No model is loaded."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engines import presets
from engines.spec import JobSpec
from tests.engines.ai_toolkit.builders import ENGINE, SPACE

NEEDED = ("AI_TOOLKIT_DIR", "AI_TOOLKIT_PYTHON")
MISSING = [name for name in NEEDED if not os.environ.get(name)]
OLD_PIPELINES = {"sd15", "sdxl", "sd3", "flux", "flex1", "lumina2"}


def document(family: str, number: int) -> dict:
    return {
        "name": f"job-{number}",
        "engine": "ai-toolkit",
        "family": family,
        "base_model": "/models/base",
        "datasets": [{"path": "/data/dog"}],
        "length": {"steps": 10},
        "sampling": {"prompts": ["a dog"]},
        "ema": {"enabled": True},
    }


def meant(spec: JobSpec) -> dict[str, object]:
    return {
        "rank": spec.network.rank,
        "alpha": spec.network.alpha,
        "rate": spec.optimizer.learning_rate,
        "steps": 10,
        "batch": spec.batch.size,
        "cached": spec.memory.cache_text != "none",
        "ema": True,
        "quantised": spec.memory.quantize != "none",
        "offloaded": spec.memory.offload > 0,
        "datasets": len(spec.datasets[0].resolution),
        "sampling_steps": spec.sampling.steps,
        "prompts": ["a dog"],
    }


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not set: {', '.join(MISSING)}")
def test_the_engine_understands_every_familys_file_on_every_card(tmp_path):
    specs: dict[str, JobSpec] = {}
    space = replace(SPACE, native=tmp_path, output=tmp_path / "output")
    for number, family in enumerate(sorted(ENGINE.families())):
        for vram_gb in (None, 12.0, 24.0, 80.0):
            filled = presets.complete(document(family, number), gpu=True, vram_gb=vram_gb)
            spec = JobSpec.model_validate(filled)
            path = tmp_path / f"{number}-{vram_gb}.yaml"
            path.write_text(ENGINE.plan(spec, space).files["config.yaml"], "utf-8")
            specs[str(path)] = spec
    script = Path(__file__).parent / "constructs.py"
    out = tmp_path / "found.json"
    done = subprocess.run(
        [os.environ["AI_TOOLKIT_PYTHON"], str(script), str(out), *specs],
        cwd=os.environ["AI_TOOLKIT_DIR"],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:].decode("utf-8", "replace")
    found = json.loads(out.read_text("utf-8"))
    for path, spec in specs.items():
        got = found[path]
        assert isinstance(got, dict), (spec.family, got)
        assert {key: got[key] for key in meant(spec)} == meant(spec), spec.family
        # A name that the engine does not know falls through to its Stable Diffusion class.
        assert (got["model"] == "StableDiffusion") == (spec.family in OLD_PIPELINES), spec.family
        assert got["scheduler"] == ("ddpm" if spec.family in ("sd15", "sdxl") else "flowmatch")
