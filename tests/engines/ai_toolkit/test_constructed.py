"""The engine's own classes hold what was asked, for every family. No model is loaded."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from engines import presets
from engines.ai_toolkit.draft import split
from engines.spec import JobSpec
from tests.engines.ai_toolkit.asking import asked
from tests.engines.ai_toolkit.builders import ENGINE, SPACE, spec
from tests.engines.ai_toolkit.documents import documents

NEEDED = ("AI_TOOLKIT_DIR", "AI_TOOLKIT_PYTHON")
MISSING = [name for name in NEEDED if not os.environ.get(name)]
OLD_PIPELINES = {"sd15", "sdxl", "sd3", "flux", "flex1", "lumina2"}
SCRIPT = Path(__file__).parent / "constructs.py"
RANDOM_SPECS = 6
"""Of each family."""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not set: {', '.join(MISSING)}"),
]


def ready(family: str, vram_gb: float | None) -> JobSpec:
    """What a person gets who names only pictures and a model."""
    document = {
        "name": "job-1", "engine": "ai-toolkit", "family": family, "base_model": "/models/base",
        "datasets": [{"path": "/data/dog"}], "length": {"steps": 10},
        "sampling": {"prompts": ["a dog"]}, "ema": {"enabled": True},
    }  # fmt: skip
    return JobSpec.model_validate(presets.complete(document, gpu=True, vram_gb=vram_gb))


def test_the_engine_holds_what_was_asked_for_every_family_on_every_card(tmp_path):
    cards = (None, 12.0, 24.0, 80.0)
    specs = [ready(family, gb) for family in sorted(ENGINE.families()) for gb in cards]
    compare(specs, tmp_path)


def test_the_engine_holds_what_random_specs_of_every_family_ask(tmp_path):
    compare([spec(**one) for key in sorted(ENGINE.families()) for one in some_of(key)], tmp_path)


def some_of(family: str) -> list[dict[str, Any]]:
    """The same random documents at every run."""
    found: list[dict[str, Any]] = []

    @settings(max_examples=RANDOM_SPECS, database=None, deadline=None, derandomize=True,
              phases=[Phase.generate])  # fmt: skip
    @given(documents(family))
    def collect(document):
        found.append(document)

    collect()
    return found


def compare(specs: list[JobSpec], folder: Path) -> None:
    """Have the engine read each file, all in one child, and hold it against what was asked."""
    space = replace(SPACE, native=folder, output=folder / "output")
    by_path: dict[str, JobSpec] = {}
    for number, one in enumerate(specs):
        path = folder / f"{number}.yaml"
        path.write_text(ENGINE.plan(one, space).files["config.yaml"], "utf-8")
        by_path[str(path)] = one
    for path, got in construct(list(by_path), folder).items():
        one = by_path[path]
        assert isinstance(got, dict), (one.family, got)
        wrong = [*differences(one, got)]
        assert wrong == [], one.family
        # A name that the engine does not know falls through to its Stable Diffusion class.
        assert (got["class"] == "StableDiffusion") == (one.family in OLD_PIPELINES), one.family


def construct(paths: list[str], folder: Path) -> dict[str, Any]:
    out = folder / "found.json"
    done = subprocess.run(
        [os.environ["AI_TOOLKIT_PYTHON"], str(SCRIPT), str(out), *paths],
        cwd=os.environ["AI_TOOLKIT_DIR"],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:].decode("utf-8", "replace")
    return json.loads(out.read_text("utf-8"))


def differences(asking: JobSpec, got: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each path with what was asked and what the engine holds."""
    # It makes a dataset of each resolution.
    copies = [n for n, dataset in enumerate(asking.datasets) for _ in dataset.resolution]
    assert len(got["datasets"]) == len(copies)
    resolutions = [edge for dataset in asking.datasets for edge in dataset.resolution]
    assert [dataset["resolution"] for dataset in got["datasets"]] == resolutions
    firsts = {**got, "datasets": [got["datasets"][copies.index(n)] for n in sorted(set(copies))]}
    for path, value in asked(asking).items():
        if path.endswith("].resolution"):
            continue
        held = at(firsts, path)
        if held != understood(asking, path, value) and not (value is None and not held):
            yield path, value, held


def understood(asking: JobSpec, path: str, value: Any) -> Any:
    """The value as the engine's classes hold it where they hold it otherwise."""
    if path == "model.arch":
        return {"flex1": "flux"}.get(value, value.partition(":")[0])
    if path == "model.qtype":
        kind = value.partition("|")[0]
        return "float8" if asking.memory.offload and kind == "qfloat8" else kind
    if path.endswith(("control_path_1", "control_path_2", "control_path_3")):
        return None
    return value


def at(value: Any, path: str) -> Any:
    for part in split(path):
        if isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value
