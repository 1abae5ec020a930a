"""Which canonical field each line of the native files came from; what we set ourselves has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engines.kohya_ss import native
from engines.kohya_ss.buckets import edges
from engines.spec import JobSpec

_OF_NO_OPTION = {
    "network_module": "network.type", "network_args": "network.type",
    "network_train_unet_only": "optimizer.text_encoder_learning_rate",
    "attn_mode": "memory.attention", "use_flash_attn": "memory.attention",
    "fp8_scaled": "memory.quantize", "network_weights": "resume", "dim_from_weights": "resume",
    "sample_sampler": "family", "model_prediction_type": "family", "v2": "family",
    "model_type": "family", "apply_t5_attn_mask": "family",
}  # fmt: skip
"""Keys made from a field that may also be given natively beside it."""
_OURS = frozenset({"output_dir", "dataset_config", "save_last_n_epochs_state"})
_SUBSET_FIELD = {
    "image_dir": "path", "num_repeats": "repeats", "caption_extension": "caption_extension",
    "is_reg": "regularisation", "shuffle_caption": "shuffle_tags", "keep_tokens": "keep_tags",
    "caption_dropout_rate": "caption_dropout", "flip_aug": "flip",
}  # fmt: skip


def sources(
    spec: JobSpec, config: Mapping[str, Any], pictures: Mapping[str, Any]
) -> dict[str, str]:
    """``file:path.to.key`` of every native key that a field or an engine option made."""
    return {**dict(_config(spec, config)), **dict(_dataset(spec, pictures)), **_prompts(spec)}


def _config(spec: JobSpec, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = native.of(spec).get("config") or {}
    for key in config:
        field = native.FIELD_OF.get(key) or _OF_NO_OPTION.get(key)
        if key in given:
            field = f"{native.OPTIONS}.kohya_ss.config.{key}"
        if field and key not in _OURS:
            yield f"config.toml:{key}", field


def _dataset(spec: JobSpec, pictures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    options = native.of(spec).get("dataset") or {}
    blocks = options.get("datasets") or []
    for key in options.get("general") or {}:
        yield f"dataset.toml:general.{key}", f"{native.OPTIONS}.kohya_ss.dataset.general.{key}"
    for place, edge in enumerate(edges(spec)):
        inside = [n for n, dataset in enumerate(spec.datasets) if edge in dataset.resolution]
        given = blocks[place] if place < len(blocks) else {}
        block = pictures["datasets"][place]
        for key in block:
            where = f"dataset.toml:datasets[{place}].{key}"
            if key in given and key != "subsets":
                yield where, f"{native.OPTIONS}.kohya_ss.dataset.datasets.{place}.{key}"
            elif key == "resolution":
                yield where, f"datasets.{inside[0]}.resolution"
            elif key in native.DATASET_FIELD_OF:
                yield where, native.DATASET_FIELD_OF[key]
        for number, dataset in enumerate(inside):
            subsets = given.get("subsets") or []
            own = subsets[number] if number < len(subsets) else {}
            yield from _subset(block["subsets"][number], own, (place, number, dataset))


def _subset(
    subset: Mapping[str, Any], given: Mapping[str, Any], at: tuple[int, int, int]
) -> Iterator[tuple[str, str]]:
    """``at``: the block, the subset in it, and the dataset that it is in the spec."""
    place, number, dataset = at
    for key in subset:
        where = f"dataset.toml:datasets[{place}].subsets[{number}].{key}"
        if key in given:
            option = f"{native.OPTIONS}.kohya_ss.dataset.datasets.{place}.subsets.{number}.{key}"
            yield where, option
        elif key in _SUBSET_FIELD:
            yield where, f"datasets.{dataset}.{_SUBSET_FIELD[key]}"
        elif key in ("caption_prefix", "class_tokens"):
            yield where, "trigger_word"


def _prompts(spec: JobSpec) -> dict[str, str]:
    return {
        f"prompts.txt:[{number}]": "sampling.prompts"
        for number in range(len(spec.sampling.prompts))
    }
