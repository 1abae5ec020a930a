"""Sample pictures: prompts with the trigger word, and which sampler fits the family."""

from __future__ import annotations

from collections.abc import Iterator

from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.families import AiToolkitFamily
from engines.prompts import with_trigger
from engines.spec import JobSpec

_EDGE = 8
"""Pixels; what every model's samples are rounded to, some to 16 or 32 (config_modules.py)."""


def refuse(spec: JobSpec) -> Iterator[Refusal]:
    """Prompts that the engine would read as something else."""
    for prompt in spec.sampling.prompts:
        if "--" in prompt:
            yield Refusal(
                "sampling.prompts",
                "ai-toolkit reads what follows -- as options and cuts the prompt there; "
                f"write a single dash in {prompt[:40]!r}.",
            )
            return
        if "--" in with_trigger(prompt, spec.trigger_word):
            yield Refusal(
                "trigger_word",
                "ai-toolkit cuts the sample prompts at its --; write a single dash, or draw no samples.",
            )
            return


def write(draft: Draft, spec: JobSpec, family: AiToolkitFamily) -> None:
    """The sample section. Without prompts nothing is drawn."""
    sampling = spec.sampling
    draft.put("train.disable_sampling", not sampling.prompts, "sampling.prompts")
    draft.put("sample.sampler", "flowmatch" if family.flow else "ddpm", "family")
    pairs = {
        "sample_every": ("every_steps", sampling.every_steps),
        "sample_steps": ("steps", sampling.steps),
        "guidance_scale": ("guidance", sampling.guidance),
        "width": ("width", sampling.width),
        "height": ("height", sampling.height),
        "seed": ("seed", sampling.seed),
    }
    for native, (field, value) in pairs.items():
        draft.put(f"sample.{native}", value, f"sampling.{field}")
    if sampling.prompts and (sampling.width % _EDGE or sampling.height % _EDGE):
        draft.note(f"ai-toolkit rounds the edges of samples down to multiples of {_EDGE} or more.")
    draft.put("sample.walk_seed", False)
    # Left out, the engine takes False for a negative prompt and crashes on SD and SDXL.
    usual = family.defaults.get("sample.neg")
    draft.put("sample.neg", usual or "", "family" if usual else None)
    draft.put("sample.samples", [], "sampling.prompts")
    for place, prompt in enumerate(sampling.prompts):
        text = with_trigger(prompt, spec.trigger_word)
        draft.put(f"sample.samples[{place}].prompt", text, "sampling.prompts")
