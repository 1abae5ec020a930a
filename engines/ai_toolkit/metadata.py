"""What was asked for, as metadata of every file that the engine saves.

The engine writes little of it by itself. The keys are those of sd-scripts where it has one, so
that a program reads the files of both engines alike; all values are text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from engines.ai_toolkit.length import Length
from engines.ai_toolkit.network import ignores_alpha
from engines.base import Workspace
from engines.spec import JobSpec

_FIELDS: Mapping[str, str] = {
    "name": "name", "vast_lora_family": "family", "ss_network_type": "network.type",
    "ss_network_dim": "network.rank", "ss_network_alpha": "network.alpha",
    "ss_network_args": "network.conv_rank", "ss_network_dropout": "network.dropout",
    "ss_learning_rate": "optimizer.learning_rate", "ss_unet_lr": "optimizer.learning_rate",
    "ss_text_encoder_lr": "optimizer.text_encoder_learning_rate", "ss_optimizer": "optimizer.name",
    "ss_lr_scheduler": "optimizer.scheduler", "ss_lr_warmup_steps": "optimizer.warmup_steps",
    "ss_total_batch_size": "batch.size",
    "ss_gradient_accumulation_steps": "batch.gradient_accumulation",
    "ss_mixed_precision": "memory.mixed_precision", "ss_cache_latents": "memory.cache_latents",
    "ss_min_snr_gamma": "loss.min_snr_gamma", "ss_noise_offset": "loss.noise_offset",
    "ss_ema_decay": "ema.decay", "ss_seed": "seed", "modelspec.trigger_phrase": "trigger_word",
    "ss_enable_bucket": "buckets.enabled",
}  # fmt: skip
"""The field behind each; what counts pictures or puts datasets together has no single one."""


def sources(spec: JobSpec, meta: Mapping[str, str]) -> dict[str, str]:
    """The canonical field of each key of the ``meta`` block that came from one."""
    length = "length.steps" if spec.length.steps is not None else "length.epochs"
    fields = {**_FIELDS, "ss_max_train_steps": length}
    fields["ss_sd_model_name"] = "base_model" if spec.base_model else "family"
    if spec.length.epochs is not None:
        fields["ss_num_epochs"] = length
    return {key: fields[key] for key in meta if key in fields}


def write(
    spec: JobSpec, workspace: Workspace, process: Mapping[str, Any], length: Length
) -> dict[str, str]:
    """The ``meta`` block, of what ``process`` really holds: native options are in it too."""
    given = {
        "name": spec.name,
        "version": "1.0",
        "vast_lora_run": workspace.job_id or "none",
        "vast_lora_engine": "ai-toolkit",
        "vast_lora_family": spec.family,
        "ss_sd_model_name": _model(str(process["model"]["name_or_path"])),
        **dict(_network(spec, process["network"])),
        **dict(_training(spec, process["train"], length)),
        **_pictures(spec, workspace),
    }
    return {key: str(value) for key, value in given.items()}


def _model(name: str) -> str:
    """A hub id as it is; of a path only its end, for files are given away."""
    path = PurePath(name)
    return path.name if path.is_absolute() or len(path.parts) != 2 else name


def _network(spec: JobSpec, network: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "ss_network_type", spec.network.type
    yield "ss_network_dim", network["linear"]
    yield (
        "ss_network_alpha",
        float(spec.network.rank) if ignores_alpha(spec) else network["linear_alpha"],
    )
    if "conv" in network:
        sizes = {"conv_dim": str(network["conv"]), "conv_alpha": str(network["conv_alpha"])}
        yield "ss_network_args", json.dumps(sizes)
    if "dropout" in network:
        yield "ss_network_dropout", network["dropout"]


def _training(spec: JobSpec, train: Mapping[str, Any], length: Length) -> Iterator[tuple[str, Any]]:
    yield "ss_learning_rate", train["lr"]
    yield "ss_unet_lr", train["lr"]
    if train["train_text_encoder"]:
        yield "ss_text_encoder_lr", train["lr"]
    arguments = ",".join(f"{key}={value}" for key, value in train["optimizer_params"].items())
    yield "ss_optimizer", f"{train['optimizer']}({arguments})"
    yield "ss_lr_scheduler", train["lr_scheduler"]
    yield "ss_lr_warmup_steps", spec.optimizer.warmup_steps
    yield "ss_max_train_steps", length.steps
    if length.epochs is not None:
        yield "ss_num_epochs", length.epochs
    yield "ss_total_batch_size", train["batch_size"]
    yield "ss_gradient_accumulation_steps", train["gradient_accumulation"]
    yield "ss_mixed_precision", train["dtype"]
    yield "ss_cache_latents", spec.memory.cache_latents != "none"
    if "min_snr_gamma" in train:
        yield "ss_min_snr_gamma", train["min_snr_gamma"]
    if "noise_offset" in train:
        yield "ss_noise_offset", train["noise_offset"]
    if spec.ema.enabled:
        yield "ss_ema_decay", spec.ema.decay
    yield "ss_seed", spec.seed
    if spec.trigger_word:
        yield "modelspec.trigger_phrase", spec.trigger_word


def _pictures(spec: JobSpec, workspace: Workspace) -> dict[str, Any]:
    """Resolutions and folders; of each folder its name only, and how many pictures where known."""
    folders: dict[str, dict[str, Any]] = {}
    for place, dataset in enumerate(spec.datasets):
        name = PurePath(dataset.path).name
        name = name if name not in folders else f"{name} ({place + 1})"
        folders[name] = {"n_repeats": dataset.repeats}
        if workspace.datasets is not None:
            folders[name]["img_count"] = workspace.datasets[place].images
        if dataset.regularisation:
            folders[name]["is_reg"] = True
    edges = sorted({edge for dataset in spec.datasets for edge in dataset.resolution})
    return {
        "ss_resolution": ",".join(map(str, edges)),
        "ss_enable_bucket": spec.buckets.enabled,
        "ss_dataset_dirs": json.dumps(folders),
    }
