"""Datasets and sample prompts."""

from __future__ import annotations

import re
from typing import Any

from engines.ai_toolkit.reading.source import ABSENT, Source
from engines.ai_toolkit.reading.training import read_interval
from engines.families import Family

_FIELDS = {
    "num_repeats": ("repeats", 1),
    "caption_dropout_rate": ("caption_dropout", 0.0),
    "shuffle_tokens": ("shuffle_tags", False),
    "keep_tokens": ("keep_tags", 0),
    "flip_x": ("flip", False),
    "is_reg": ("regularisation", False),
    "resolution": ("resolution", 512),
}
_FLAGS: dict[str, tuple[str, type]] = {
    "w": ("width", int), "h": ("height", int), "d": ("seed", int), "seed": ("seed", int),
    "l": ("guidance_scale", float), "cfg": ("guidance_scale", float), "s": ("sample_steps", int),
    "steps": ("sample_steps", int), "m": ("network_multiplier", float),
    "network_multiplier": ("network_multiplier", float), "n": ("neg", str),
    "frames": ("num_frames", int), "num_frames": ("num_frames", int), "fps": ("fps", int),
    "ctrl_img": ("ctrl_img", str), "ctrl_idx": ("ctrl_idx", int),
}  # fmt: skip


def read_datasets(source: Source) -> None:
    """Each folder, and what is one setting for all of them here."""
    wanted = source.take("train.cache_text_embeddings")
    cached = wanted is True
    if wanted is not ABSENT:
        source.translated("train.cache_text_embeddings", "memory.cache_text")
    source.set("memory.cache_text", "disk" if cached else "none")
    numbers = sorted(
        {int(found[1]) for path in source.values if (found := re.match(r"datasets\[(\d+)\]", path))}
    )
    for number in numbers:
        _read_one(source, number, cached)
    _read_buckets(source, numbers)
    _read_latents(source, numbers)
    if not numbers:
        source.take("datasets")
        source.document.setdefault("datasets", [])


def _read_one(source: Source, number: int, cached: bool) -> None:
    here, there = f"datasets[{number}]", f"datasets.{number}"
    folder = source.take(f"{here}.folder_path", None)
    other = source.take(f"{here}.dataset_path", None)
    source.set(f"{there}.path", other or folder)
    if other:
        source.translated(f"{here}.dataset_path", f"{there}.path")
        if folder:
            source.dropped(f"{here}.folder_path", "dataset_path counts")
    _read_extension(source, here, there)
    for key, (field, default) in _FIELDS.items():
        path = f"{here}.{key}"
        reason = _without_effect(source, number, key, cached)
        if reason and source.values.get(path):
            source.take(path)
            source.dropped(path, reason)
        source.move(path, f"{there}.{field}", default)


def _without_effect(source: Source, number: int, key: str, cached: bool) -> str:
    if cached and key == "caption_dropout_rate":
        return "ai-toolkit drops no captions that are cached"
    if cached and key == "shuffle_tokens":
        return "captions are encoded once when they are cached"
    if key == "keep_tokens" and source.document["datasets"][number].get("shuffle_tags"):
        return "ai-toolkit keeps no tags in place when it shuffles them"
    return ""


def _read_extension(source: Source, here: str, there: str) -> None:
    ending = None
    for key in ("caption_type", "caption_ext"):
        path = f"{here}.{key}"
        value = source.take(path)
        if value is ABSENT:
            continue
        if ending is not None or not value:
            source.dropped(path, "caption_type counts" if ending else "it is empty")
            continue
        ending = str(value) if str(value).startswith(".") else f".{value}"
        if key == "caption_type" or ending != value:
            source.translated(path, f"{there}.caption_extension")
    source.set(f"{there}.caption_extension", ending or ".txt")


def _read_buckets(source: Source, numbers: list[int]) -> None:
    given = [
        (path, source.take(path))
        for path in (f"datasets[{number}].buckets" for number in numbers)
        if path in source.values
    ]
    enabled = bool(given[0][1]) if given else True
    source.set("buckets.enabled", enabled)
    for path, value in given[1:]:
        if bool(value) != enabled:
            source.dropped(path, "it is one setting for all datasets")


def _read_latents(source: Source, numbers: list[int]) -> None:
    chosen: str | None = None
    for number in numbers:
        keys = ("cache_latents_to_disk", "cache_latents")
        paths = [f"datasets[{number}].{key}" for key in keys]
        given = {path: source.take(path) for path in paths if path in source.values}
        disk, memory = (bool(given.get(path)) for path in paths)
        word = "disk" if disk else "memory" if memory else "none"
        chosen = chosen or word
        for path in given:
            if word == chosen:
                source.translated(path, "memory.cache_latents")
            else:
                source.dropped(path, "it is one setting for all datasets")
    source.set("memory.cache_latents", chosen or "none")


def read_samples(source: Source, family: Family) -> None:
    """Prompts, with what the engine reads out of them, and how they are drawn."""
    off = bool(source.take("train.disable_sampling", None))
    flow = family.ai_toolkit is not None and family.ai_toolkit.flow
    sampler = source.take("sample.sampler")
    if sampler is not ABSENT:
        if sampler == ("flowmatch" if flow else "ddpm"):
            source.translated("sample.sampler", "family")
        else:
            source.dropped("sample.sampler", f"{family.key} is drawn with its own sampler")
    pairs: dict[str, tuple[str, Any]] = {
        "sample_steps": ("steps", 20),
        "guidance_scale": ("guidance", 7.0), "width": ("width", 512), "height": ("height", 512),
        "seed": ("seed", 0),
    }  # fmt: skip
    for key, (field, default) in pairs.items():
        source.move(f"sample.{key}", f"sampling.{field}", default)
    read_interval(source, "sample.sample_every", "sampling.every_steps", 100)
    _read_prompts(source, off)


def _read_prompts(source: Source, off: bool) -> None:
    prompts = _gather(source)
    kept: list[str] = []
    for path, text in prompts:
        if off:
            source.dropped(path, "sampling is switched off")
            continue
        plain, flags, lost = read_flags(text)
        plain = plain.replace("[name]", str(source.document["name"]))
        if plain != text:
            why = f"{' '.join(lost)} is left out" if lost else ""
            source.translated(path, "sampling.prompts", why=why)
        for key, value in flags.items():
            source.keep(f"sample.samples[{len(kept)}].{key}", value)
        kept.append(plain)
    if off:
        for path in [path for path in source.values if path.startswith("sample.samples")]:
            source.take(path)
            source.dropped(path, "sampling is switched off")
    source.set("sampling.prompts", kept)


def _gather(source: Source) -> list[tuple[str, str]]:
    """Prompts by path: those of samples, else the older plain list."""
    pattern = re.compile(r"sample\.samples\[\d+\]\.prompt$")
    found = [(path, source.values[path]) for path in list(source.values) if pattern.match(path)]
    for path, _ in found:
        source.take(path)
    plain = source.take("sample.prompts", None) or []
    source.take("sample.samples")
    if found:
        if plain:
            source.dropped("sample.prompts", "sample.samples counts")
        return [(path, "" if text is None else str(text)) for path, text in found]
    if not isinstance(plain, list):
        source.dropped("sample.prompts", "it is no list")
        plain = []
    return [(f"sample.prompts[{place}]", str(text)) for place, text in enumerate(plain)]


def read_flags(prompt: str) -> tuple[str, dict[str, Any], list[str]]:
    """A prompt without the options behind ``--``, those that are known, by native key, and the rest."""
    text, *rest = prompt.split("--")
    if not rest:
        return prompt, {}, []
    found: dict[str, Any] = {}
    lost: list[str] = []
    for piece in rest:
        flag, _, value = piece.partition(" ")
        known = _FLAGS.get(flag.strip())
        try:
            if known is None:
                raise ValueError(flag)
            found[known[0]] = known[1](value.strip())
        except ValueError:
            lost.append(f"--{flag.strip()}")
    return text.strip(), found, lost
