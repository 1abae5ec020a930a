"""Native keys a person gives us, merged last; and which canonical field a native key belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines.base import OptionList, Refusal
from engines.kohya_ss import buckets, options
from engines.spec import JobSpec

OPTIONS = "engine_options"
FIELD_OF: dict[str, str] = {
    "pretrained_model_name_or_path": "base_model", "output_name": "name", "output_dir": "name",
    "vae": "components.vae", "clip_l": "components.clip_l", "clip_g": "components.clip_g",
    "t5xxl": "components.t5xxl", "ae": "components.ae", "gemma2": "components.gemma2",
    "qwen3": "components.qwen3", "byt5": "components.byt5", "text_encoder": "components.text_encoder",
    "network_dim": "network.rank", "network_alpha": "network.alpha",
    "network_dropout": "network.dropout", "optimizer_type": "optimizer.name",
    "learning_rate": "optimizer.learning_rate", "unet_lr": "optimizer.learning_rate",
    "text_encoder_lr": "optimizer.text_encoder_learning_rate",
    "optimizer_args": "optimizer.arguments", "lr_scheduler": "optimizer.scheduler",
    "lr_warmup_steps": "optimizer.warmup_steps", "max_train_steps": "length.steps",
    "max_train_epochs": "length.epochs", "gradient_accumulation_steps": "batch.gradient_accumulation",
    "mixed_precision": "memory.mixed_precision", "fp8_base": "memory.quantize",
    "gradient_checkpointing": "memory.gradient_checkpointing", "cache_latents": "memory.cache_latents",
    "cache_latents_to_disk": "memory.cache_latents",
    "cache_text_encoder_outputs": "memory.cache_text",
    "cache_text_encoder_outputs_to_disk": "memory.cache_text", "blocks_to_swap": "memory.offload",
    "sdpa": "memory.attention", "xformers": "memory.attention",
    "min_snr_gamma": "loss.min_snr_gamma", "noise_offset": "loss.noise_offset",
    "timestep_sampling": "loss.timestep_sampling", "guidance_scale": "loss.guidance",
    "save_precision": "saving.precision", "save_every_n_steps": "saving.every_steps",
    "save_every_n_epochs": "saving.every_steps", "save_last_n_epochs": "saving.keep",
    "save_last_n_steps": "saving.keep", "sample_prompts": "sampling.prompts",
    "sample_every_n_steps": "sampling.every_steps", "sample_every_n_epochs": "sampling.every_steps",
    "seed": "seed", "resume": "resume", "initial_epoch": "resume",
    "dataset_config": "datasets", "resolution": "datasets.resolution",
    "train_data_dir": "datasets", "reg_data_dir": "datasets",
    "metadata_trigger_phrase": "trigger_word",
}  # fmt: skip
"""A job key and the canonical field that sets it; such a key is refused in engine_options."""
DATASET_FIELD_OF: dict[str, str] = {
    "resolution": "datasets.resolution", "batch_size": "batch.size", "enable_bucket": "buckets.enabled",
    "min_bucket_reso": "buckets.min", "max_bucket_reso": "buckets.max",
    "bucket_reso_steps": "buckets.step", "bucket_no_upscale": "buckets.upscale",
    "image_dir": "datasets.path", "num_repeats": "datasets.repeats",
    "caption_extension": "datasets.caption_extension", "is_reg": "datasets.regularisation",
    "shuffle_caption": "datasets.shuffle_tags", "keep_tokens": "datasets.keep_tags",
    "caption_dropout_rate": "datasets.caption_dropout", "flip_aug": "datasets.flip",
    "caption_prefix": "trigger_word",
}  # fmt: skip


CHOOSES_FAMILY = frozenset({"v2", "model_type", "apply_t5_attn_mask"})
"""Keys that a family cannot do without; they come with the family alone."""
_ONE_FOR_ALL = frozenset(
    {"batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
     "bucket_no_upscale"}
)  # fmt: skip
"""One setting for all datasets in our document; sd-scripts has one for each resolution."""
PROMPT_FLAGS = {
    "n": str, "w": int, "h": int, "d": int, "s": int, "l": float, "g": float, "ss": str,
    "cn": str, "ctr": float, "rcfg": float, "fs": float,
}  # fmt: skip
"""What may stand behind a prompt, read from ``line_to_prompt_dict`` of sd-scripts."""


def field_of(key: str, value: Any) -> str | None:
    """The canonical field of a job key, unless the value is of a form that no field has.

    Those are intervals in epochs, a warm-up as a share of the run, and several rates for several
    text encoders.
    """
    if key in ("save_every_n_epochs", "sample_every_n_epochs"):
        return None
    if key == "lr_warmup_steps" and isinstance(value, float):
        return None
    if key == "text_encoder_lr" and isinstance(value, list) and len(set(map(str, value))) > 1:
        return None
    return FIELD_OF.get(key)


def of(spec: JobSpec) -> Mapping[str, Any]:
    """What stands under engine_options.kohya_ss."""
    return spec.engine_options.get("kohya_ss", {})


def refusals(spec: JobSpec, script: str, known: OptionList | None) -> Iterator[Refusal]:
    """Unknown sections, keys with a canonical field, unknown keys, values of the wrong type."""
    given = of(spec)
    where = f"{OPTIONS}.kohya_ss"
    for section in set(given) - {"config", "dataset", "prompts"}:
        yield Refusal(where, f"There is no section {section!r}; use config, dataset and prompts.")
    table = known or options.shipped()
    # A script that is not installed is told where the whole plan is held against the list.
    allowed = table.data.get(script) or options.shipped().data.get(script, {})
    config = given.get("config", {})
    if not isinstance(config, dict):
        yield Refusal(f"{where}.config", "This must be a mapping of option names to values.")
        return
    for key, value in config.items():
        if field := field_of(key, value):
            yield Refusal(f"{where}.config.{key}", f"Set {field} in place of {key}.")
        elif key not in allowed:
            yield Refusal(f"{where}.config.{key}", f"{script} of sd-scripts has no option {key!r}.")
        elif problem := options.misfit(value, allowed[key]):
            yield Refusal(f"{where}.config.{key}", f"{key} {problem}.")
    yield from _dataset_refusals(spec, given.get("dataset", {}), f"{where}.dataset")
    yield from _prompt_refusals(spec, given.get("prompts", []), f"{where}.prompts")


def _dataset_refusals(spec: JobSpec, given: Any, where: str) -> Iterator[Refusal]:
    misshapen = [*_misshapen(spec, given)]
    for place, sentence in misshapen:
        yield Refusal(f"{where}{place}", sentence)
    for path, values in () if misshapen else _tables(given):
        for key, value in values.items():
            field = DATASET_FIELD_OF.get(key)
            if _is_void(value):
                yield Refusal(f"{where}.{path}.{key}", f"{key} has no value; leave it out.")
            elif field and not _has_no_field(spec, path, key, value):
                yield Refusal(f"{where}.{path}.{key}", f"Set {field} in place of {key}.")


def _misshapen(spec: JobSpec, given: Any) -> Iterator[tuple[str, str]]:
    """Where it is not of the form of a dataset config, or says more than there are datasets."""
    if not _is_table(given) or {*given} - {"general", "datasets"}:
        yield "", "This must be a mapping with general and datasets."
        return
    if not _is_table(given.get("general") or {}):
        yield ".general", "This must be a mapping of option names to values."
    blocks, edges = given.get("datasets") or [], buckets.edges(spec)
    if not isinstance(blocks, list) or not all(map(_is_table, blocks)):
        yield ".datasets", "This must be a list of mappings, one for each resolution in order."
        return
    if len(blocks) > len(edges):
        yield ".datasets", f"There are {len(blocks)} entries for {len(edges)} resolutions."
    for number, (block, edge) in enumerate(zip(blocks, edges, strict=False)):
        inside = sum(edge in dataset.resolution for dataset in spec.datasets)
        place, subsets = f".datasets.{number}.subsets", block.get("subsets") or []
        if not isinstance(subsets, list) or not all(map(_is_table, subsets)):
            yield place, "This must be a list of mappings, one for each dataset in order."
        elif len(subsets) > inside:
            yield place, f"There are {len(subsets)} entries for {inside} datasets."


def _is_void(value: Any) -> bool:
    """Whether it is no value, or holds none at some place: TOML has no word for that."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_is_void, inner))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _has_no_field(spec: JobSpec, path: str, key: str, value: Any) -> bool:
    """Whether a dataset key says what our document cannot say."""
    if key == "resolution":
        return isinstance(value, list) and len(set(map(str, value))) == 2
    if key == "caption_prefix":
        return not spec.trigger_word
    several = len({edge for dataset in spec.datasets for edge in dataset.resolution}) > 1
    return key in _ONE_FOR_ALL and path.startswith("datasets.") and several


def _prompt_refusals(spec: JobSpec, given: Any, where: str) -> Iterator[Refusal]:
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        yield Refusal(where, "This must be a list of mappings, one for each prompt in order.")
        return
    if len(given) > len(spec.sampling.prompts):
        yield Refusal(
            where, f"There are {len(given)} entries for {len(spec.sampling.prompts)} prompts."
        )
    for place, entry in enumerate(given):
        for flag, value in entry.items():
            kind = PROMPT_FLAGS.get(flag)
            if kind is None:
                yield Refusal(
                    f"{where}.{place}.{flag}", f"sd-scripts has no prompt option --{flag}."
                )
            elif isinstance(value, bool) or not isinstance(
                value, (int, float) if kind is float else kind
            ):
                yield Refusal(
                    f"{where}.{place}.{flag}",
                    f"--{flag} wants a {kind.__name__}; {value!r} is none.",
                )
            elif isinstance(value, str) and re.search(r' --|[\r\n"]', value):
                yield Refusal(
                    f"{where}.{place}.{flag}", "This may hold no quotes, line breaks or ' --'."
                )


def _tables(given: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "general", given.get("general") or {}
    for index, block in enumerate(given.get("datasets") or []):
        yield f"datasets.{index}", {k: v for k, v in block.items() if k != "subsets"}
        for number, subset in enumerate(block.get("subsets") or []):
            yield f"datasets.{index}.subsets.{number}", subset


def merge(spec: JobSpec, config: dict[str, Any], dataset: dict[str, Any]) -> None:
    """Put the given native keys into both documents; lists of arguments are joined."""
    given = of(spec)
    for key, value in (given.get("config") or {}).items():
        if key == "network_args" and key in config:
            config[key] = [*config[key], *value]
        else:
            config[key] = value
    extra = given.get("dataset") or {}
    dataset["general"].update(extra.get("general") or {})
    for block, more in zip(dataset["datasets"], extra.get("datasets") or [], strict=False):
        block.update({key: value for key, value in more.items() if key != "subsets"})
        for subset, inner in zip(block["subsets"], more.get("subsets") or [], strict=False):
            subset.update(inner)
