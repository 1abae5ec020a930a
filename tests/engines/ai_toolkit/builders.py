"""Specs and workspaces for the ai-toolkit tests: usual ones, changed where a test says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engines.ai_toolkit import AiToolkit
from engines.base import DatasetFacts, Workspace
from engines.spec import JobSpec
from tests.support import yaml_reading

ENGINE = AiToolkit()
SPACE = Workspace(
    native=Path("/run/native"),
    output=Path("/run/output"),
    logs=Path("/run/logs"),
    home=Path("/aitk"),
    python="/aitk/bin/python",
    job_id="12",
    gpus=(0,),
)


def spec(**given) -> JobSpec:
    """A plannable SD 1.5 spec with ``given`` laid over it."""
    usual = {
        "name": "ohwx-dog",
        "family": "sd15",
        "base_model": "/models/sd15",
        "datasets": [{"path": "/data/dog", "resolution": [512]}],
        "length": {"steps": 200},
    }
    return JobSpec.model_validate({**usual, **given})


def facts(*sizes: tuple[int, int, int]) -> DatasetFacts:
    """Facts of one folder from (width, height, count)."""
    return DatasetFacts(sizes)


def plan(given: JobSpec | None = None, **place):
    """The plan in the usual workspace, changed by ``place``."""
    return ENGINE.plan(given or spec(), replace(SPACE, **place))


def process(given: JobSpec | None = None, **place) -> dict:
    """config.process[0] of that plan, read back by a plain YAML 1.1 reader."""
    text = plan(given, **place).files["config.yaml"]
    return yaml_reading.load(text)["config"]["process"][0]


def refused(given: JobSpec) -> dict[str, str]:
    """The refused fields with their sentences."""
    return {refusal.field: refusal.message for refusal in ENGINE.refusals(given)}
