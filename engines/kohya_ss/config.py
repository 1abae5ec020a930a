"""The job TOML: everything but the pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from engines import families
from engines.base import Refusal, UnsupportedError, Workspace
from engines.catalogue.kohya import KohyaFamily
from engines.kohya_ss import buckets, network, optimizer
from engines.spec import JobSpec

SAVE_PRECISION = {"fp16": "fp16", "bf16": "bf16", "fp32": "float"}


@dataclass(frozen=True)
class Length:
    """How long a run is: whole epochs where the pictures are known, else the steps asked for."""

    steps: int | None
    epochs: int | None
    steps_per_epoch: int | None
    notes: tuple[str, ...] = ()

    def epochs_between(self, steps: int) -> int:
        """So many whole epochs come closest to an interval of ``steps``; at least one."""
        return max(1, round(steps / (self.steps_per_epoch or 1)))


def length(spec: JobSpec, workspace: Workspace) -> Length:
    """Whole epochs, because only so does a resume go on exactly."""
    per_epoch = workspace.steps_per_epoch
    if per_epoch is None and workspace.datasets is not None and spec.datasets:
        per_epoch = buckets.steps_per_epoch(spec, workspace.datasets)
    if per_epoch is None:
        note = (
            "Steps become whole epochs at the start, when the pictures are known."
            if workspace.job_id
            else "The pictures are not known here, so nothing is rounded to whole epochs."
        )
        return Length(spec.length.steps, spec.length.epochs, None, (note,))
    # Each of several GPUs takes its share of the batches.
    per_epoch = math.ceil(per_epoch / max(1, len(workspace.gpus)))
    if spec.length.epochs is not None:
        return Length(spec.length.epochs * per_epoch, spec.length.epochs, per_epoch)
    asked = spec.length.steps or 1
    epochs = math.ceil(asked / per_epoch)
    planned = epochs * per_epoch
    notes: tuple[str, ...] = ()
    if planned != asked:
        notes = (
            f"{asked} steps asked; {epochs} whole epochs of {per_epoch} steps make {planned}.",
        )
    return Length(planned, epochs, per_epoch, notes)


def build(spec: JobSpec, workspace: Workspace, run: Length) -> dict[str, Any]:
    """Every key of config.toml."""
    family = _family(spec)
    values: dict[str, Any] = {}
    if spec.base_model:
        values["pretrained_model_name_or_path"] = spec.base_model
    values.update(family.config)
    named = {**family.components, **family.optional}
    values.update({named[name]: path for name, path in spec.components.items()})
    values.update(
        dataset_config=str(workspace.native / "dataset.toml"),
        output_dir=str(workspace.output),
        output_name=spec.name,
        save_model_as="safetensors",
        save_precision=SAVE_PRECISION[spec.saving.precision],
        logging_dir=str(workspace.logs),
        log_with="tensorboard",
        seed=spec.seed,
    )
    if spec.datasets:
        # Each block of the dataset file has its own; this one is told in the saved file.
        edge = max(buckets.edges(spec))
        values["resolution"] = f"{edge},{edge}"
    values.update(network.config(spec.network, family))
    values.update(optimizer.config(spec.optimizer))
    values.update(_length(spec, run))
    values.update(_memory(spec, workspace, family))
    values.update(_loss(spec, family))
    if spec.sampling.prompts:
        values["sample_prompts"] = str(workspace.native / "prompts.txt")
        values["sample_sampler"] = "euler_a" if not family.flow else "euler"
        _every(values, "sample", spec, run)
    if spec.trigger_word:
        values["metadata_trigger_phrase"] = spec.trigger_word
    if comment := _comment(spec, workspace):
        values["training_comment"] = comment
    if spec.batch.gradient_accumulation > 1:
        values["gradient_accumulation_steps"] = spec.batch.gradient_accumulation
    values.update(_resume(workspace))
    return values


def _comment(spec: JobSpec, workspace: Workspace) -> str:
    """What the saved file tells of the run that sd-scripts would not write into it."""
    told = [f"vast-lora job {workspace.job_id}"] if workspace.job_id else []
    rates = [f"{dataset.caption_dropout:g}" for dataset in spec.datasets]
    if set(rates) - {"0"}:
        told.append(f"caption dropout by dataset: {', '.join(rates)}")
    return "; ".join(told)


def _family(spec: JobSpec) -> KohyaFamily:
    family = families.get(spec.family)
    if family is None or family.kohya is None:
        raise UnsupportedError(
            "kohya_ss", [Refusal("family", f"kohya_ss does not train {spec.family}.")]
        )
    return family.kohya


def _length(spec: JobSpec, run: Length) -> dict[str, Any]:
    """Length and saves. States are kept, since nothing else can be resumed from."""
    values: dict[str, Any] = {"save_state": True}
    if run.epochs is not None:
        values["max_train_epochs"] = run.epochs
    else:
        values["max_train_steps"] = run.steps
    _every(values, "save", spec, run)
    if "save_every_n_epochs" in values:
        every = int(values["save_every_n_epochs"])
        # The engine counts epochs, not files; a new state is whole before an old one goes.
        values["save_last_n_epochs"] = every * spec.saving.keep
        values["save_last_n_epochs_state"] = every
    else:
        every = int(values["save_every_n_steps"])
        values["save_last_n_steps"] = every * max(1, spec.saving.keep - 1)
        values["save_last_n_steps_state"] = 1
    return values


def _every(values: dict[str, Any], what: str, spec: JobSpec, run: Length) -> None:
    """The interval in epochs where one is given natively or can be computed, else in steps."""
    steps = (spec.saving if what == "save" else spec.sampling).every_steps
    given = spec.engine_options.get("kohya_ss", {}).get("config", {}).get(f"{what}_every_n_epochs")
    if given is not None:
        values[f"{what}_every_n_epochs"] = given
    elif run.steps_per_epoch is None:
        values[f"{what}_every_n_steps"] = steps
    else:
        values[f"{what}_every_n_epochs"] = run.epochs_between(steps)


def _memory(spec: JobSpec, workspace: Workspace, family: KohyaFamily) -> dict[str, Any]:
    memory = spec.memory
    values: dict[str, Any] = {
        "mixed_precision": "no" if memory.mixed_precision == "fp32" else memory.mixed_precision,
        # Workers on a CPU machine take the cores from the training itself.
        "max_data_loader_n_workers": 2 if workspace.gpus else 0,
    }
    if workspace.gpus:
        values["persistent_data_loader_workers"] = True
    if memory.gradient_checkpointing:
        values["gradient_checkpointing"] = True
    if memory.quantize != "none":
        values["fp8_scaled" if spec.family == "hunyuan_image" else "fp8_base"] = True
    if memory.cache_latents != "none":
        values["cache_latents"] = True
    if memory.cache_latents == "disk":
        values["cache_latents_to_disk"] = True
    if memory.cache_text != "none":
        values["cache_text_encoder_outputs"] = True
    if memory.cache_text == "disk":
        values["cache_text_encoder_outputs_to_disk"] = True
    if memory.offload and family.swap_blocks:
        most = family.most_swapped(spec.base_model)
        values["blocks_to_swap"] = max(1, round(memory.offload * most))
    values.update(_attention(spec))
    return values


def _attention(spec: JobSpec) -> dict[str, Any]:
    attention = spec.memory.attention
    if spec.family in ("anima", "hunyuan_image"):
        return {"attn_mode": {"sdpa": "torch", "xformers": "xformers", "flash": "flash"}[attention]}
    if attention == "flash":
        return {"use_flash_attn": True}
    return {attention: True}


def _loss(spec: JobSpec, family: KohyaFamily) -> dict[str, Any]:
    loss = spec.loss
    values: dict[str, Any] = {}
    if loss.min_snr_gamma is not None:
        values["min_snr_gamma"] = float(loss.min_snr_gamma)
    if loss.noise_offset:
        values["noise_offset"] = float(loss.noise_offset)
    if loss.timestep_sampling is not None:
        values["timestep_sampling"] = loss.timestep_sampling
    elif family.timesteps:
        values["timestep_sampling"] = family.timesteps
    if loss.guidance is not None:
        values["guidance_scale"] = float(loss.guidance)
    elif spec.family == "flux":
        # FLUX.1-dev is distilled on guidance; the script's own default of 3.5 trains it away.
        values["guidance_scale"] = 1.0
    return values


def _resume(workspace: Workspace) -> dict[str, Any]:
    point = workspace.resume
    if point is None:
        return {}
    if point.weights_only:
        return {"network_weights": str(point.path), "dim_from_weights": False}
    return {"resume": str(point.path), "initial_epoch": (point.epoch or 0) + 1}
