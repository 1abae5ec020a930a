"""Folders of pictures: their keys, and what their settings cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from engines import families
from engines.ai_toolkit import overrides
from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.folders import kohya_habit
from engines.sections.data import Buckets, Dataset
from engines.spec import JobSpec

_WORKERS_ON_GPU = 2


def takes_clips(spec: JobSpec, place: int) -> bool:
    """Whether a dataset is read for clips beside pictures (toolkit/data_loader.py: ``is_video``)."""
    family = families.get(spec.family)
    usual = family.ai_toolkit.defaults if family and family.ai_toolkit else {}
    given = overrides.entry(spec, "datasets", place)
    frames = given.get("num_frames", usual.get("datasets[].num_frames", 1))
    every = given.get("auto_frame_count", usual.get("datasets[].auto_frame_count", False))
    return bool(every) or (isinstance(frames, int) and frames > 1)


def refuse(spec: JobSpec) -> Iterator[Refusal]:
    """What of datasets and buckets the engine cannot do."""
    for place, dataset in enumerate(spec.datasets):
        if dataset.keep_tags and dataset.shuffle_tags:
            yield Refusal(
                f"datasets.{place}.keep_tags",
                "ai-toolkit shuffles all tags and keeps none; set it to 0, or use kohya_ss.",
            )
        if any(letter in dataset.path for letter in "[]*?"):
            yield Refusal(
                f"datasets.{place}.path",
                "ai-toolkit reads [ ] * ? in a path as wildcards; rename it.",
            )
        if not spec.buckets.enabled and takes_clips(spec, place):
            yield Refusal(
                "buckets.enabled", "ai-toolkit cuts clips to buckets only; switch them on."
            )
    usual = Buckets()
    for field in ("min", "max", "step", "upscale"):
        if getattr(spec.buckets, field) != getattr(usual, field):
            yield Refusal(
                f"buckets.{field}",
                f"ai-toolkit has no such setting; leave it at {getattr(usual, field)}.",
            )


def write(draft: Draft, spec: JobSpec, *, gpu: bool) -> None:
    """One entry for each folder; the engine itself makes a copy for each resolution."""
    if not spec.datasets:
        draft.put("datasets", [])
    for place, dataset in enumerate(spec.datasets):
        _write_one(draft, spec, place, dataset)
        draft.put(f"datasets[{place}].num_workers", _WORKERS_ON_GPU if gpu else 0)
    resolutions = max((len(dataset.resolution) for dataset in spec.datasets), default=1)
    if resolutions > 1:
        draft.note("Each picture is used once at every resolution, so an epoch grows with them.")


def _write_one(draft: Draft, spec: JobSpec, place: int, dataset: Dataset) -> None:
    here = f"datasets[{place}]"
    there = f"datasets.{place}"
    pairs = {
        "folder_path": ("path", dataset.path),
        "resolution": ("resolution", list(dataset.resolution)),
        "num_repeats": ("repeats", dataset.repeats),
        "caption_ext": ("caption_extension", dataset.caption_extension),
        "caption_dropout_rate": ("caption_dropout", dataset.caption_dropout),
        "shuffle_tokens": ("shuffle_tags", dataset.shuffle_tags),
        "keep_tokens": ("keep_tags", dataset.keep_tags),
        "flip_x": ("flip", dataset.flip),
        "is_reg": ("regularisation", dataset.regularisation),
    }
    for native, (field, value) in pairs.items():
        draft.put(f"{here}.{native}", value, f"{there}.{field}")
    habit = kohya_habit(dataset.path)
    if habit and not spec.trigger_word and not dataset.regularisation:
        draft.put(f"{here}.default_caption", habit.concept, f"{there}.path")
        draft.note(f"Pictures of {dataset.path} without a caption are called {habit.concept!r}.")
    draft.put(f"{here}.buckets", spec.buckets.enabled, "buckets.enabled")
    cache = spec.memory.cache_latents
    draft.put(f"{here}.cache_latents", cache == "memory", "memory.cache_latents")
    draft.put(f"{here}.cache_latents_to_disk", cache == "disk", "memory.cache_latents")
    if dataset.shuffle_tags and spec.trigger_word:
        draft.note("ai-toolkit shuffles the trigger word with the other tags.")
    if dataset.flip:
        draft.note("Flip doubles the list of pictures: each is used both ways in every epoch.")
