"""A third engine, as small as one can be. The test copies it to ``engines/toy/__init__.py``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines.adapter import Engine, Traits
from engines.base import (
    LaunchPlan,
    OptionList,
    OutputFile,
    Phase,
    Progress,
    Refusal,
    StopStep,
    UnsupportedError,
    Workspace,
)
from engines.fields import table
from engines.registry import EngineName
from engines.spec import JobSpec

_BAR = re.compile(r"step (\d+) of (\d+), loss ([\d.]+)")
_HONOURED = {
    "version", "name", "engine", "family", "base_model", "datasets[].path", "datasets[].repeats",
    "datasets[].resolution", "network.rank", "network.alpha", "optimizer.name", "length.steps",
    "resume", "seed",
}  # fmt: skip


class Toy(Engine):
    """Writes a LoRA of the asked rank for Stable Diffusion 1.5, and learns nothing."""

    name: EngineName = "toy"
    traits = Traits(script="train.py")

    def families(self) -> frozenset[str]:
        return frozenset({"sd15"})

    def refusals(self, spec: JobSpec, options: OptionList | None = None) -> tuple[Refusal, ...]:
        return tuple(_refusals(spec))

    def plan(self, spec: JobSpec, workspace: Workspace) -> LaunchPlan:
        if found := self.refusals(spec):
            raise UnsupportedError(self.name, found)
        final = f"{spec.name}.safetensors"
        config = {
            "out": str(workspace.output / final),
            "rank": spec.network.rank,
            "steps": spec.length.steps,
            # Its trainer looks at none of these; a field that is taken and written nowhere fails a test.
            "asked": {
                "alpha": spec.network.alpha,
                "optimizer": spec.optimizer.name,
                "seed": spec.seed,
                "datasets": [(d.path, d.repeats, d.resolution) for d in spec.datasets],
            },
        }
        return LaunchPlan(
            argv=(workspace.python, "train.py", str(workspace.native / "config.json")),
            cwd=workspace.home,
            env={"PYTHONUNBUFFERED": "1"},
            files={"config.json": json.dumps(config, indent=1)},
            stop=(StopStep("signal", 5.0, signal="SIGTERM"),),
            final=final,
            total_steps=spec.length.steps,
        )

    def parse(self, piece: str) -> Progress | None:
        if not (found := _BAR.search(piece)):
            return None
        step, total, loss = found.groups()
        return Progress(int(step), int(total), float(loss), phase=Phase.TRAINING)

    def classify(self, path: str, name: str) -> OutputFile | None:
        return OutputFile(path, "lora", final=True) if path == f"{name}.safetensors" else None

    def takes_default(
        self, family: str, path: str, value: Any, document: Mapping[str, Any]
    ) -> bool:
        return path in _HONOURED


def _refusals(spec: JobSpec) -> Iterator[Refusal]:
    """What is set away from its default and would be dropped."""
    for path, row in table().items():
        values: list[Any] = [spec]
        for part in path.split("."):
            values = [getattr(value, part.removesuffix("[]")) for value in values]
            values = [v for inner in values for v in inner] if part.endswith("[]") else values
        if path not in _HONOURED and any(value != row.default for value in values):
            yield Refusal(path.replace("[]", ".0"), f"toy knows no {row.title}.")
