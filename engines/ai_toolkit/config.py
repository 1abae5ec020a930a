"""Builds the one native file: config.yaml, with the canonical field behind each key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from engines import families, yamltext
from engines.ai_toolkit import (
    datasets,
    memory,
    metadata,
    model,
    network,
    optimizer,
    overrides,
    samples,
)
from engines.ai_toolkit.draft import CONFIG, Draft
from engines.ai_toolkit.length import FALLBACK_STEPS_PER_EPOCH, Length, measure
from engines.ai_toolkit.output import STAGES
from engines.ai_toolkit.refusals import family_of
from engines.base import Refusal, UnsupportedError, Workspace
from engines.spec import JobSpec, ResumeFrom

_SAVED_AS = {"fp16": "float16", "bf16": "bf16", "fp32": "float32"}
_TIMERS_EVERY = 50


def control_path(workspace: Workspace) -> Path:
    """The control table's file, beside the output folder."""
    return workspace.output.parent / "control.db"


def build(spec: JobSpec, workspace: Workspace) -> tuple[str, Draft, Length]:
    """The text of config.yaml, what it was made of, and how long the job is.

    Raises UnsupportedError when epochs cannot be counted.
    """
    family = families.get(spec.family)
    engine = family_of(spec)
    if family is None or engine is None:
        raise _refused("family", f"ai-toolkit does not train {spec.family}.")
    length = measure(spec, workspace, engine.arch)
    if length is None:
        raise _refused("length.epochs", "No pictures were found to count epochs by; give steps.")
    draft = Draft()
    _write_frame(draft, spec, workspace)
    model.write_defaults(draft, spec, engine)
    network.write(draft, spec, engine)
    _write_saving(draft, spec)
    datasets.write(draft, spec, gpu=bool(workspace.gpus))
    _write_length(draft, spec, length)
    optimizer.write(draft, spec)
    model.write(draft, spec, family, engine)
    memory.write(draft, spec, engine)
    samples.write(draft, spec, engine)
    _write_start(draft, spec, workspace)
    overrides.merge(draft, spec.engine_options.get(overrides.NAME, {}))
    draft.settle()
    draft.sources[f"{CONFIG}:config.name"] = "name"
    return dump(_document(spec, workspace, draft, length)), draft, length


def _refused(field: str, sentence: str) -> UnsupportedError:
    return UnsupportedError("ai-toolkit", [Refusal(field, sentence)])


class _Dumper(yamltext.DUMPER):  # type: ignore[misc]
    """Writes what any YAML 1.1 reader and the engine's own read alike.

    The engine takes a bare ``1e5`` for a number, so a text of that form has to be quoted.
    """


_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$")
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def dump(document: dict[str, Any]) -> str:
    """The document as YAML in plain ASCII, keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)


def _document(spec: JobSpec, workspace: Workspace, draft: Draft, length: Length) -> dict[str, Any]:
    """``meta`` goes into every file the engine saves."""
    meta = metadata.write(spec, workspace, draft.process, length)
    told = metadata.sources(spec, meta)
    draft.sources |= {f"{CONFIG}:meta.{key}": field for key, field in told.items()}
    config = {"name": spec.name, "process": [draft.process]}
    return {"job": "extension", "config": config, "meta": meta}


def _write_frame(draft: Draft, spec: JobSpec, workspace: Workspace) -> None:
    draft.put("type", "diffusion_trainer")
    draft.put("training_folder", str(workspace.output))
    if workspace.job_id:
        draft.put("sqlite_db_path", str(control_path(workspace)))
    if spec.trigger_word:
        draft.put("trigger_word", spec.trigger_word, "trigger_word")
    draft.put("training_seed", spec.seed, "seed")
    draft.put("performance_log_every", _TIMERS_EVERY)
    draft.put("logging.use_ui_logger", True)
    draft.put("logging.log_every", 1)


def _write_saving(draft: Draft, spec: JobSpec) -> None:
    saving = spec.saving
    draft.put("save.dtype", _SAVED_AS[saving.precision], "saving.precision")
    draft.put("save.save_every", saving.every_steps, "saving.every_steps")
    draft.put("save.max_step_saves_to_keep", saving.keep, "saving.keep")
    draft.put("save.save_format", "safetensors")


def _write_length(draft: Draft, spec: JobSpec, length: Length) -> None:
    field = "length.steps" if spec.length.steps is not None else "length.epochs"
    draft.put("train.steps", length.steps, field)
    draft.put("train.batch_size", spec.batch.size, "batch.size")
    draft.put(
        "train.gradient_accumulation",
        spec.batch.gradient_accumulation,
        "batch.gradient_accumulation",
    )
    if spec.batch.gradient_accumulation > 1:
        draft.note("ai-toolkit adds up the gradients of a step's passes and takes no mean.")
    if spec.ema.enabled:
        draft.put("train.ema_config.use_ema", True, "ema.enabled")
        draft.put("train.ema_config.ema_decay", spec.ema.decay, "ema.decay")
        draft.note("The saved weights are the running mean (EMA).")
    if spec.saving.every_steps >= length.steps:
        draft.note(
            f"Nothing is saved before the end: {length.steps} steps, saving every "
            f"{spec.saving.every_steps}."
        )
    epochs = spec.length.epochs
    if epochs is None:
        return
    if not length.counted:
        draft.note(
            f"ai-toolkit counts steps and the pictures are not known here: {epochs} epochs are "
            f"written as {FALLBACK_STEPS_PER_EPOCH} steps each; a job counts its own pictures."
        )
    else:
        draft.note(
            f"ai-toolkit counts steps: {epochs} epochs of {length.steps_per_epoch} steps are "
            f"{length.steps} steps, rounded up to whole steps."
        )
    if any(dataset.regularisation for dataset in spec.datasets):
        draft.note(
            "Every other step trains on the regularisation pictures, so there are more steps."
        )


def _write_start(draft: Draft, spec: JobSpec, workspace: Workspace) -> None:
    """Weights to begin with. The engine's own resume needs no key: it looks into its folder."""
    resume = workspace.resume
    if resume is not None:
        if resume.weights_only:
            draft.put("network.pretrained_lora_path", str(resume.path), "resume")
    elif isinstance(spec.resume, ResumeFrom):
        source = spec.resume.source
        if isinstance(source, str) and not source.isdigit():
            draft.put("network.pretrained_lora_path", source, "resume")
        else:
            draft.note(f"The LoRA of job {source} is looked up when the job starts.")


def stages(draft: Draft) -> tuple[str, ...]:
    """Endings of the two files that a model in two stages is saved as; empty for others."""
    process = draft.process
    kwargs = process.get("model", {}).get("model_kwargs") or {}
    if not any(f"train{stage}" in kwargs for stage in STAGES):
        return ()
    if not process["network"].get("split_multistage_loras", True):
        return ()
    return tuple(stage for stage in STAGES if kwargs.get(f"train{stage}", True))
