"""Sections that describe what a run writes, and what it starts from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engines.sections.table import MOST_STEPS, Section, about


class Saving(Section):
    """When checkpoints are written and how many stay."""

    every_steps: int = about(
        250, "Save every", "A checkpoint after so many steps; kohya_ss rounds to whole epochs.", unit="steps",
        ai="save.save_every", kohya="save_every_n_epochs (computed)", ge=1, le=MOST_STEPS,
    )  # fmt: skip
    keep: int = about(
        4, "Keep", "So many of the newest checkpoints stay; older ones are deleted. The last one always stays.",
        unit="checkpoints", ai="save.max_step_saves_to_keep", kohya="save_last_n_epochs", ge=1, le=1000,
    )  # fmt: skip
    precision: Literal["fp16", "bf16", "fp32"] = about(
        "fp16",
        "File precision",
        "Number format of the saved file.",
        ai="save.dtype",
        kohya="save_precision",
    )


class Sampling(Section):
    """Pictures drawn while training, to see how it goes."""

    every_steps: int = about(
        250, "Sample every", "Draws the prompts after so many steps; kohya_ss rounds to whole epochs.", unit="steps",
        ai="sample.sample_every", kohya="sample_every_n_epochs (computed)", ge=1, le=MOST_STEPS,
    )  # fmt: skip
    steps: int = about(
        20, "Sampling steps", "Denoising steps of each picture.", unit="steps",
        ai="sample.sample_steps", kohya="prompt file --s", ge=1, le=1000,
    )  # fmt: skip
    guidance: float = about(
        7.0, "Guidance", "How strictly the prompt is followed.",
        ai="sample.guidance_scale", kohya="prompt file --l", ge=0, le=100,
    )  # fmt: skip
    width: int = about(
        1024,
        "Width",
        "Width of each picture.",
        unit="px",
        ai="sample.width",
        kohya="prompt file --w",
        ge=16,
        le=8192,
    )
    height: int = about(
        1024,
        "Height",
        "Height of each picture.",
        unit="px",
        ai="sample.height",
        kohya="prompt file --h",
        ge=16,
        le=8192,
    )
    seed: int = about(
        42,
        "Sample seed",
        "The same seed draws comparable pictures.",
        ai="sample.seed",
        kohya="prompt file --d",
        ge=0,
        le=2**63 - 1,
    )
    prompts: tuple[str, ...] = about(
        (), "Prompts", "One picture for each; none draws no samples. The trigger word is put in where it is missing.",
        ai="sample.samples[].prompt", kohya="sample_prompts",
    )  # fmt: skip


class ResumeFrom(Section):
    """Start from another job's result, or from a file."""

    source: int | str = Field(
        alias="from", title="From", description="Job number, or path of a LoRA or saved state."
    )
