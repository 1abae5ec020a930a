"""The canonical spec: one frozen document that either engine can be given.

Every field carries its title, unit, bounds, one sentence of help and both engines' own
names for it. ``engines.fields`` walks this table; the form, the validation, the preview,
the documentation and the API schema are all drawn from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from engines import naming
from engines.registry import ENGINE_NAMES, EngineName
from engines.sections.data import Buckets, Dataset
from engines.sections.output import ResumeFrom, Sampling, Saving
from engines.sections.table import Native, Section, about
from engines.sections.training import Batch, Ema, Length, Loss, Memory, Network, Optimizer

__all__ = [
    "ENGINE_NAMES", "Batch", "Buckets", "Dataset", "Ema", "EngineName", "JobSpec", "Length", "Loss",
    "Memory", "Network", "Optimizer", "ResumeFrom", "Sampling", "Saving",
]  # fmt: skip

if TYPE_CHECKING:
    EngineChoice = str
else:
    # So that the field table, the API's schema and the messages list whatever is registered.
    EngineChoice = Literal[("auto", *ENGINE_NAMES)]

TRIGGER_LONGEST = 200


class JobSpec(Section):
    """What a person asks for. Stored with the job and never edited afterwards."""

    version: Literal[1] = Field(1, title="Version", description="Version of this document's form.")
    name: str = about(
        ..., "Name", "Names the job and its files: letters, digits, dots, dashes, underscores.",
        ai="config.name", kohya="output_name", pattern=naming.PATTERN,
    )  # fmt: skip
    engine: EngineChoice = about(
        "auto",
        "Engine",
        "Which program trains; auto takes the one that fits the model and is installed.",
    )
    family: str = about(
        ...,
        "Model family",
        "Which model the LoRA is for.",
        ai="model.arch",
        kohya="(the script)",
        min_length=1,
    )
    base_model: str | None = about(
        None, "Base model", "Hub id (owner/name), or a file or folder here.",
        ai="model.name_or_path", kohya="pretrained_model_name_or_path", min_length=1,
    )  # fmt: skip
    components: dict[str, str] = about(
        None, "Components", "Paths of further parts (vae, clip_l, t5xxl, ...), only where the family needs them.",
        ai="model.vae_path, te_name_or_path, ...", kohya="vae, clip_l, clip_g, t5xxl, ae, ...", factory=dict,
    )  # fmt: skip
    trigger_word: str = about(
        "", "Trigger word", "The word that calls the subject; put in front of captions and sample prompts.",
        ai="trigger_word", kohya="datasets[].subsets[].caption_prefix",
        max_length=TRIGGER_LONGEST,
    )  # fmt: skip
    datasets: tuple[Dataset, ...] = Field(
        (), title="Datasets", description="One or more folders of pictures."
    )
    buckets: Buckets = Field(default_factory=Buckets, title="Buckets")
    network: Network = Field(default_factory=Network, title="Network")
    optimizer: Optimizer = Field(default_factory=Optimizer, title="Optimizer")
    length: Length = Field(title="Length")
    batch: Batch = Field(default_factory=Batch, title="Batch")
    memory: Memory = Field(default_factory=Memory, title="Memory")
    loss: Loss = Field(default_factory=Loss, title="Loss")
    ema: Ema = Field(default_factory=Ema, title="EMA")
    saving: Saving = Field(default_factory=Saving, title="Saving")
    sampling: Sampling = Field(default_factory=Sampling, title="Sampling")
    resume: Literal["auto", "never"] | ResumeFrom = about(
        "auto", "Start from", "auto goes on from this job's newest whole save, never starts anew; "
        "a job's number or the path of a LoRA starts from its weights.",
        ai="(same name and folder)", kohya="resume, initial_epoch",
    )  # fmt: skip
    seed: int = about(
        42,
        "Seed",
        "Start of all random numbers.",
        ai="training_seed",
        kohya="seed",
        ge=0,
        le=2**32 - 1,
    )
    gpus: int = about(
        1, "GPUs", "How many GPUs one job gets.", kohya="accelerate --num_processes", ge=1, le=64
    )
    engine_options: dict[str, dict[str, Native]] = Field(
        default_factory=dict,
        title="Engine options",
        description="Native keys, passed on as they are; checked against the engine's own list.",
    )

    @field_validator("engine_options")
    @classmethod
    def _known_engines(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in value:
            if name not in ENGINE_NAMES:
                raise ValueError(f"{name!r} is no engine; use {' or '.join(ENGINE_NAMES)}.")
        return value

    def missing(self) -> dict[str, str]:
        """Fields that an import may leave open but a job cannot do without, with a sentence each."""
        gaps: dict[str, str] = {}
        if not self.base_model:
            gaps["base_model"] = "Name the base model: a hub id (owner/name) or a path."
        if not self.datasets:
            gaps["datasets"] = "Name at least one folder with pictures."
        elif all(dataset.regularisation for dataset in self.datasets):
            gaps["datasets"] = "At least one dataset must not be a regularisation set."
        for place, dataset in enumerate(self.datasets):
            if not dataset.path.strip():
                gaps[f"datasets.{place}.path"] = "Name the folder that holds the pictures."
        return gaps
