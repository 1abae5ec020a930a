"""Follows a native config through import and render: nothing unknown comes out, nothing is lost."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.jobs import importing
from engines import presets
from engines.ai_toolkit import AiToolkit
from engines.base import Workspace
from engines.kohya_ss import KohyaSs
from engines.spec import JobSpec

ENGINES = {"ai-toolkit": AiToolkit(), "kohya_ss": KohyaSs()}
SPACE = Workspace(
    native=Path("/run/native"), output=Path("/run/output"), logs=Path("/run/logs"),
    home=Path("/engine"), python="python", gpus=(0,),
)  # fmt: skip


@dataclass(frozen=True)
class Trip:
    """What became of one config: its document, the lines said, the native files, complaints."""

    document: dict[str, Any]
    lines: tuple[str, ...]
    files: dict[str, str]
    complaints: tuple[str, ...]

    @property
    def told(self) -> list[str]:
        """The source keys that a line names, in order."""
        return [line.split(" ")[1].rstrip(":") for line in self.lines]

    def values(self) -> list[Any]:
        """Every leaf of the native files."""
        found: list[Any] = []
        for name, text in self.files.items():
            if name.endswith(".toml"):
                found += leaves(tomllib.loads(text))
            elif name.endswith(".yaml"):
                found += leaves(yaml.safe_load(text))
            else:
                found += text.split("\n")
        return found


def travel(path: Path, text: str | None = None, companions: dict[str, str] | None = None) -> Trip:
    """Import a config, check the spec, render it for the engine it was written for."""
    text = path.read_text("utf-8") if text is None else text
    beside = importing.companions_of(text, path) if companions is None else companions
    found = importing.read(text, path, beside)
    spec = JobSpec.model_validate(presets.complete(found.document, gpu=True))
    engine = ENGINES[spec.engine if spec.engine != "auto" else "kohya_ss"]
    plan = engine.plan(spec, SPACE)
    complaints = engine.complaints(spec, plan.files, engine.shipped_options())
    return Trip(found.document, found.lines, dict(plan.files), complaints)


def leaves(value: Any) -> list[Any]:
    """Every value below mappings and lists, and each list as a whole as well."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [value, *(leaf for inner in value for leaf in leaves(inner))]
    return [value]


def is_found(value: Any, values: list[Any]) -> bool:
    """Whether a source's value is among the leaves: numbers by worth, text also inside of text."""
    number = _number(value)
    for leaf in values:
        if value == leaf or (number is not None and number == _number(leaf)):
            return True
        if isinstance(value, str) and isinstance(leaf, str) and value.lower() == leaf.lower():
            return True
        if isinstance(value, str) and isinstance(leaf, list):
            words = value.replace('"', "").replace(",", " ").split()
            if words and words == [str(item) for item in leaf]:
                return True
    return False


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
