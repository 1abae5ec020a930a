"""The dataset TOML: one block per resolution, one subset per folder."""

from __future__ import annotations

from typing import Any

from engines.catalogue.kohya import KohyaFamily
from engines.folders import kohya_habit
from engines.kohya_ss.buckets import edges
from engines.spec import Dataset, JobSpec


def config(spec: JobSpec, family: KohyaFamily) -> dict[str, Any]:
    """The whole document. A folder that trains at several resolutions stands in several blocks."""
    return {
        "general": {"caption_extension": ".txt"},
        "datasets": [_block(spec, family, edge) for edge in edges(spec)],
    }


def _block(spec: JobSpec, family: KohyaFamily, edge: int) -> dict[str, Any]:
    block: dict[str, Any] = {"resolution": edge, "batch_size": spec.batch.size}
    buckets = spec.buckets
    block["enable_bucket"] = buckets.enabled
    if buckets.enabled:
        block["bucket_reso_steps"] = buckets.step
        block["bucket_no_upscale"] = not buckets.upscale
        # The engine insists on smallest <= resolution <= longest, even where it ignores them.
        block["min_bucket_reso"] = min(buckets.min, edge)
        block["max_bucket_reso"] = max(buckets.max, edge)
    block["subsets"] = [_subset(spec, family, d) for d in spec.datasets if edge in d.resolution]
    return block


def _subset(spec: JobSpec, family: KohyaFamily, dataset: Dataset) -> dict[str, Any]:
    subset: dict[str, Any] = {
        "image_dir": dataset.path,
        "num_repeats": dataset.repeats,
        "caption_extension": dataset.caption_extension,
    }
    if dataset.shuffle_tags:
        subset["shuffle_caption"] = True
    # The trigger word comes first and has to stay there, each of its tags.
    shuffled = bool(spec.trigger_word) and dataset.shuffle_tags
    keep = max(dataset.keep_tags, spec.trigger_word.count(",") + 1 if shuffled else 0)
    if keep:
        subset["keep_tokens"] = keep
    if dataset.caption_dropout:
        subset["caption_dropout_rate"] = float(dataset.caption_dropout)
    if dataset.flip:
        subset["flip_aug"] = True
    habit = kohya_habit(dataset.path)
    if dataset.regularisation:
        subset["is_reg"] = True
    if habit and (dataset.regularisation or not spec.trigger_word):
        # What sd-scripts itself takes from such a name, for pictures without a caption.
        subset["class_tokens"] = habit.concept
    elif spec.trigger_word and not dataset.regularisation:
        subset["class_tokens"] = spec.trigger_word
        subset["caption_prefix"] = f"{spec.trigger_word},"
    return subset
