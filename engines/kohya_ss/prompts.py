"""The prompt file: a line each, with the flags that sd-scripts reads at the end of a line."""

from __future__ import annotations

from typing import Any

from engines.prompts import with_trigger
from engines.spec import JobSpec


def text(spec: JobSpec) -> str:
    """The whole file. A flow family takes ``--l`` as its true guidance and ``--g`` as FLUX's."""
    given = spec.engine_options.get("kohya_ss", {}).get("prompts") or []
    lines = []
    for place, prompt in enumerate(spec.sampling.prompts):
        flags = {**_shared(spec), **(given[place] if place < len(given) else {})}
        text = " ".join(f"--{flag} {_number(value)}" for flag, value in flags.items())
        lines.append(f"{with_trigger(prompt.strip(), spec.trigger_word)} {text}")
    return "\n".join(lines) + "\n"


def _shared(spec: JobSpec) -> dict[str, Any]:
    sampling = spec.sampling
    flags: dict[str, Any] = {
        "w": sampling.width, "h": sampling.height, "d": sampling.seed, "s": sampling.steps,
    }  # fmt: skip
    if spec.family == "flux":
        return {**flags, "l": 1, "g": sampling.guidance}
    return {**flags, "l": sampling.guidance}


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def problem(prompt: str) -> str:
    """Why a prompt cannot stand in the file; empty when it can."""
    if not prompt.strip():
        return "is empty"
    if "\n" in prompt or "\r" in prompt:
        return "has a line break; each prompt is one line"
    if prompt.lstrip().startswith("#"):
        return "begins with #, which makes it a comment"
    if " --" in f" {prompt}":
        return "holds ' --', which the engine reads as the start of an option"
    return ""
