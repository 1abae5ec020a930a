"""Native keys of the engine options: which are refused, and how the others are merged in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines.ai_toolkit import model
from engines.ai_toolkit.draft import Draft, generic, place
from engines.ai_toolkit.options import unknown_in_process
from engines.base import OptionList, Refusal
from engines.families import AiToolkitFamily
from engines.spec import JobSpec

NAME = "ai-toolkit"
FIELD = "engine_options.ai-toolkit"

CANONICAL: Mapping[str, str] = {
    "trigger_word": "trigger_word", "training_seed": "seed",
    "network.type": "network.type", "network.linear": "network.rank",
    "network.rank": "network.rank",
    "network.linear_alpha": "network.alpha", "network.alpha": "network.alpha",
    "network.conv": "network.conv_rank", "network.conv_alpha": "network.conv_alpha",
    "network.dropout": "network.dropout", "network.lokr_full_rank": "network.rank",
    "network.pretrained_lora_path": "resume",
    "train.steps": "length.steps", "train.lr": "optimizer.learning_rate",
    "train.unet_lr": "optimizer.learning_rate",
    "train.text_encoder_lr": "optimizer.text_encoder_learning_rate",
    "train.train_text_encoder": "optimizer.text_encoder_learning_rate",
    "train.optimizer": "optimizer.name", "train.optimizer_params": "optimizer.arguments",
    "train.lr_scheduler": "optimizer.scheduler",
    "train.lr_scheduler_params.num_warmup_steps": "optimizer.warmup_steps",
    "train.batch_size": "batch.size", "train.gradient_accumulation": "batch.gradient_accumulation",
    "train.gradient_accumulation_steps": "batch.gradient_accumulation",
    "train.dtype": "memory.mixed_precision", "model.dtype": "memory.mixed_precision",
    "train.gradient_checkpointing": "memory.gradient_checkpointing",
    "train.cache_text_embeddings": "memory.cache_text",
    "train.disable_sampling": "sampling.prompts", "train.noise_scheduler": "family",
    "train.timestep_type": "loss.timestep_sampling", "train.min_snr_gamma": "loss.min_snr_gamma",
    "train.noise_offset": "loss.noise_offset",
    "train.ema_config.use_ema": "ema.enabled", "train.ema_config.ema_decay": "ema.decay",
    "model.name_or_path": "base_model", "model.arch": "family", "model.quantize": "memory.quantize",
    "model.qtype": "memory.quantize", "model.layer_offloading": "memory.offload",
    "model.layer_offloading_transformer_percent": "memory.offload",
    "save.save_every": "saving.every_steps", "save.max_step_saves_to_keep": "saving.keep",
    "save.dtype": "saving.precision",
    "sample.sampler": "family", "sample.sample_every": "sampling.every_steps",
    "sample.sample_steps": "sampling.steps", "sample.guidance_scale": "sampling.guidance",
    "sample.width": "sampling.width", "sample.height": "sampling.height",
    "sample.seed": "sampling.seed", "sample.prompts": "sampling.prompts",
    "sample.samples[].prompt": "sampling.prompts",
    "datasets[].folder_path": "datasets[].path", "datasets[].dataset_path": "datasets[].path",
    "datasets[].resolution": "datasets[].resolution",
    "datasets[].num_repeats": "datasets[].repeats",
    "datasets[].caption_ext": "datasets[].caption_extension",
    "datasets[].caption_type": "datasets[].caption_extension",
    "datasets[].caption_dropout_rate": "datasets[].caption_dropout",
    "datasets[].shuffle_tokens": "datasets[].shuffle_tags",
    "datasets[].keep_tokens": "datasets[].keep_tags", "datasets[].flip_x": "datasets[].flip",
    "datasets[].is_reg": "datasets[].regularisation", "datasets[].buckets": "buckets.enabled",
    "datasets[].cache_latents": "memory.cache_latents",
    "datasets[].cache_latents_to_disk": "memory.cache_latents",
}  # fmt: skip
"""Native paths that have a field of their own, with the field."""

_OURS = frozenset(
    (
        "type",
        "training_folder",
        "sqlite_db_path",
        "device",
        "logging.use_ui_logger",
        "logging.log_every",
        "train.start_step",
    )
)


LISTS = ("datasets", "sample.samples")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path; a mapping may stand for a list, with numbers as its keys."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            placed = path in LISTS and str(key).isdecimal()
            step = f"[{key}]" if placed else f".{key}" if path else str(key)
            yield from leaves(inner, path + step)
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for number, entry in enumerate(value):
            yield from leaves(entry, f"{path}[{number}]")
    elif path and not (value == {} and (path.endswith("]") or "." not in path)):
        yield path, value


def entry(spec: JobSpec, group: str, place: int) -> Mapping[str, Any]:
    """What the options say of one dataset (``datasets``) or prompt (``sample.samples``)."""
    entries: Any = spec.engine_options.get(NAME, {})
    for part in group.split("."):
        entries = entries.get(part) if isinstance(entries, Mapping) else None
    if isinstance(entries, Mapping):
        found = entries.get(str(place), entries.get(place))
    else:
        found = entries[place] if isinstance(entries, list) and place < len(entries) else None
    return found if isinstance(found, Mapping) else {}


def refuse(spec: JobSpec, family: AiToolkitFamily, options: OptionList) -> Iterator[Refusal]:
    """Keys that have a field, keys that the platform sets, and keys that nobody knows."""
    given = spec.engine_options.get(NAME)
    if not given:
        return
    misshapen = [*_misshapen(given, options)] or [*_refuse_places(spec, given)]
    if misshapen:
        yield from misshapen
        return
    parts = {path: f"components.{part}" for part, path in model.components(family.arch).items()}
    if model.is_guided(family):
        parts["train.cfg_scale"] = "loss.guidance"
    merged: dict[str, Any] = {}
    for path, value in leaves(given):
        plain = generic(path)
        field = _field_of(plain) or parts.get(plain)
        if field is not None:
            yield Refusal(_dotted(path), f"{path} has a field of its own, {field}; set it there.")
        elif any(plain == own or plain.startswith(f"{own}.") for own in _OURS):
            yield Refusal(_dotted(path), f"{path} is set by the platform itself; remove it.")
        else:
            place(merged, path, value)
    for complaint in unknown_in_process(merged, options):
        yield Refusal(FIELD, complaint.message)


def _misshapen(given: Mapping[str, Any], options: OptionList) -> Iterator[Refusal]:
    """What is no group of keys where one has to be, and keys that are paths."""
    for key in _keys(given):
        if not is_key(key):
            yield Refusal(FIELD, f"{key!r} is no key; write groups inside each other.")
    sections = {name for name in options.data["sections"] if "[" not in name and "." not in name}
    for name, value in given.items():
        if name in sections and not isinstance(value, Mapping):
            yield Refusal(f"{FIELD}.{name}", f"{name} must be a group of keys.")
    sample = given.get("sample")
    samples = sample.get("samples", []) if isinstance(sample, Mapping) else []
    for name, value in (("datasets", given.get("datasets", [])), ("sample.samples", samples)):
        entries = list(value.values()) if isinstance(value, Mapping) else value
        numbered = not isinstance(value, Mapping) or all(str(key).isdecimal() for key in value)
        if not isinstance(entries, list) or not numbered or not _are_groups(entries):
            yield Refusal(f"{FIELD}.{name}", f"{name} must be a list of groups of keys.")


def is_key(key: Any) -> bool:
    """Whether a path can name it."""
    return isinstance(key, str | int) and re.search(r"[.\[\]]|^$", str(key)) is None


def _are_groups(entries: list[Any]) -> bool:
    return all(isinstance(entry, Mapping) for entry in entries)


def _keys(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _dotted(path: str) -> str:
    """The place of a native path in the spec, as a dotted field."""
    return f"{FIELD}.{path.replace('[', '.').replace(']', '')}"


def _field_of(path: str) -> str | None:
    """The canonical field of a native path, or of a path above it."""
    while path:
        if path in CANONICAL:
            return CANONICAL[path]
        path = path.rpartition(".")[0]
    return None


def _refuse_places(spec: JobSpec, given: Mapping[str, Any]) -> Iterator[Refusal]:
    """More entries than the spec has datasets or prompts, or a number beyond them."""
    sample = given.get("sample")
    samples = sample.get("samples") if isinstance(sample, Mapping) else None
    lists = (
        ("datasets", given.get("datasets"), len(spec.datasets)),
        ("sample.samples", samples, len(spec.sampling.prompts)),
    )
    for name, entries, most in lists:
        if isinstance(entries, Mapping):
            count = max((int(key) + 1 for key in entries), default=0)
        else:
            count = len(entries or ())
        if count > most:
            yield Refusal(FIELD, f"{name} has {count} entries, but there are only {most}.")


def merge(draft: Draft, given: Mapping[str, Any]) -> None:
    """Lay the given keys over the process, lists by place."""
    for path, value in leaves(given):
        if not (path in LISTS and value == []):
            draft.put(path, value, _dotted(path))
