"""The prompt file: a line each, with the flags that sd-scripts reads at the end of a line."""

from __future__ import annotations

from engines.prompts import with_trigger
from engines.spec import JobSpec


def text(spec: JobSpec) -> str:
    """The whole file. A flow family takes ``--l`` as its true guidance and ``--g`` as FLUX's."""
    sampling = spec.sampling
    lines = []
    for prompt in sampling.prompts:
        flags = (
            f"--w {sampling.width} --h {sampling.height} --d {sampling.seed} "
            f"--s {sampling.steps} {_guidance(spec)}"
        )
        lines.append(f"{with_trigger(prompt.strip(), spec.trigger_word)} {flags}")
    return "\n".join(lines) + "\n"


def _guidance(spec: JobSpec) -> str:
    if spec.family == "flux":
        return f"--l 1 --g {spec.sampling.guidance:g}"
    return f"--l {spec.sampling.guidance:g}"


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
