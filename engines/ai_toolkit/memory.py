"""Precision, quantisation, offloading and caching."""

from __future__ import annotations

from collections.abc import Iterator

from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.families import AiToolkitFamily
from engines.spec import JobSpec

_DTYPES = {"no": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}


def refuse(spec: JobSpec, family: AiToolkitFamily) -> Iterator[Refusal]:
    """What of the memory section the engine cannot do."""
    memory = spec.memory
    if memory.quantize != "none" and "model.quantize" in family.disabled:
        yield Refusal(
            "memory.quantize", f"ai-toolkit cannot quantise {spec.family}; set it to none."
        )
    if memory.offload and "model.layer_offloading" not in family.extra:
        yield Refusal(
            "memory.offload", f"ai-toolkit cannot offload layers of {spec.family}; set it to 0."
        )
    if memory.attention != "sdpa":
        yield Refusal(
            "memory.attention",
            "ai-toolkit computes attention by sdpa, and its requirements install nothing else. If "
            "you did: train.attention_backend in the engine options.",
        )
    yield from _refuse_caching(spec, family)


def _refuse_caching(spec: JobSpec, family: AiToolkitFamily) -> Iterator[Refusal]:
    if spec.memory.cache_text == "none":
        return
    if spec.memory.cache_text == "memory":
        yield Refusal(
            "memory.cache_text", "ai-toolkit keeps encoded captions on disk only; use disk."
        )
    if spec.sampling.prompts and not family.draws_with_cached_captions:
        yield Refusal(
            "memory.cache_text",
            f"With cached captions ai-toolkit cannot draw samples of {spec.family}: it would "
            "crash. Set it to none, or remove the prompts.",
        )
    for place, dataset in enumerate(spec.datasets):
        why = "Captions are encoded once when they are cached"
        if dataset.caption_dropout:
            yield Refusal(
                f"datasets.{place}.caption_dropout", f"{why}, so none is dropped; set it to 0."
            )
        if dataset.shuffle_tags:
            yield Refusal(
                f"datasets.{place}.shuffle_tags", f"{why}, so tags stay as they are; switch it off."
            )


def write(draft: Draft, spec: JobSpec, family: AiToolkitFamily) -> None:
    """Precision in train, the rest in model; caching of latents is written with the datasets."""
    memory = spec.memory
    draft.put("train.dtype", _DTYPES[memory.mixed_precision], "memory.mixed_precision")
    draft.put(
        "train.gradient_checkpointing",
        memory.gradient_checkpointing,
        "memory.gradient_checkpointing",
    )
    draft.put("train.cache_text_embeddings", memory.cache_text != "none", "memory.cache_text")
    if "model.quantize" not in family.disabled:
        _write_quantisation(draft, spec, family)
    if "model.layer_offloading" in family.extra and memory.offload:
        draft.put("model.layer_offloading", True, "memory.offload")
        for part in ("transformer", "text_encoder"):
            path = f"model.layer_offloading_{part}_percent"
            draft.put(path, memory.offload, "memory.offload")
    if "model.low_vram" in family.extra:
        usual = bool(family.defaults.get("model.low_vram"))
        saves = memory.quantize != "none" or memory.offload > 0
        draft.put("model.low_vram", usual and saves, "memory.quantize" if usual else "family")


def _write_quantisation(draft: Draft, spec: JobSpec, family: AiToolkitFamily) -> None:
    wanted = spec.memory.quantize
    quantised = wanted != "none"
    only_text = bool(family.defaults.get("model.quantize_te")) and not family.defaults.get(
        "model.quantize"
    )
    draft.put("model.quantize", quantised, "memory.quantize")
    if "model.quantize_te" not in family.disabled:
        draft.put("model.quantize_te", quantised or only_text, "memory.quantize")
    if only_text and not quantised:
        draft.note(
            f"The text encoder of {spec.family} is quantised, as ai-toolkit's own form does; "
            "set model.quantize_te in the engine options to change it."
        )
    model = draft.process["model"]
    model.pop("qtype", None)
    if not quantised:
        model.pop("qtype_te", None)
        return
    recovery = family.recovery.get(wanted)
    draft.put("model.qtype", f"{wanted}|{recovery}" if recovery else wanted, "memory.quantize")
    if recovery:
        draft.note(f"Quantised to {wanted} with the accuracy recovery adapter {recovery}.")
    if spec.memory.offload and wanted == "qfloat8":
        draft.note("With offloading ai-toolkit uses float8 in place of qfloat8.")
