"""What sd-scripts cannot do, told by field, before it would silently not do it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines import families
from engines.base import Refusal
from engines.catalogue.kohya import KohyaFamily
from engines.kohya_ss import native, optimizer, prompts
from engines.prompts import with_trigger
from engines.spec import JobSpec

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_RATE = re.compile(r"\d*\.?\d+(e[-+]?\d+)?", re.IGNORECASE)
FLOAT8 = ("qfloat8", "float8")
_NEEDS_OPTION = {
    "cosine_with_min_lr": ("lr_scheduler_min_lr_ratio", "min_lr", "min_lr_rate"),
    "piecewise_constant": ("step_rules",),
}
"""Schedules, and the option or argument of which they need one (measured)."""
TIMESTEPS = {
    "flux_train_network": ("sigma", "uniform", "sigmoid", "shift", "flux_shift"),
    "lumina_train_network": ("sigma", "uniform", "sigmoid", "shift", "nextdit_shift"),
    "anima_train_network": ("sigma", "uniform", "sigmoid", "shift", "flux_shift"),
    "hunyuan_image_train_network": ("sigma", "uniform", "sigmoid", "shift", "flux_shift"),
}
_NAMES = {
    "clip_l": "the CLIP-L text encoder", "clip_g": "the CLIP-G text encoder",
    "t5xxl": "the T5-XXL text encoder", "ae": "the FLUX autoencoder", "vae": "the VAE",
    "gemma2": "the Gemma 2 text encoder", "qwen3": "the Qwen3 text encoder",
    "text_encoder": "the Qwen2.5-VL text encoder", "byt5": "the byT5 text encoder",
}  # fmt: skip


def find(spec: JobSpec) -> Iterator[Refusal]:
    """Every field that cannot be honoured."""
    family = families.get(spec.family)
    if family is None or family.kohya is None:
        yield Refusal("family", f"kohya_ss does not train {spec.family}.")
        return
    yield from _components(spec, family.kohya)
    yield from _network(spec)
    yield from _optimizer(spec, family.kohya)
    yield from _memory(spec, family.kohya)
    yield from _loss(spec, family.kohya)
    yield from _captions(spec, family.kohya)
    yield from _rest(spec, family.kohya)


def missing_components(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    """Paths the family cannot do without; a file may be rendered without them, not started."""
    for name in family.components:
        if name not in spec.components:
            what = _NAMES.get(name, name)
            yield Refusal(
                f"components.{name}",
                f"kohya_ss needs the path of {what} for {spec.family}.{_published(family, name)}",
            )
    base = spec.base_model or ""
    if not family.hub and _HUB_ID.fullmatch(base):
        yield Refusal(
            "base_model",
            f"kohya_ss reads {spec.family} from one file, not from the hub by its name: give the "
            f"path of the file.{_published(family, 'base_model')}",
        )


def _published(family: KohyaFamily, name: str) -> str:
    place = family.found_at.get(name)
    return f" It is published as {place}; download it first." if place else ""


def _components(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    known = {**family.components, **family.optional}
    for name in spec.components:
        if name not in known:
            fits = f"; it has {', '.join(known)}" if known else ""
            yield Refusal(
                f"components.{name}", f"kohya_ss has no component {name!r} for {spec.family}{fits}."
            )


def _network(spec: JobSpec) -> Iterator[Refusal]:
    network = spec.network
    if network.type == "lora" and network.conv_rank:
        yield Refusal("network.conv_rank", "Choose the type locon to train convolution layers too.")
    if network.type == "locon" and not network.conv_rank:
        yield Refusal("network.conv_rank", "LoCon needs the rank of its convolution layers.")
    if network.type == "locon" and spec.family not in ("sd15", "sd2", "sdxl"):
        yield Refusal(
            "network.type", f"{spec.family} has no convolution layers to train; use lora."
        )
    if network.dropout and network.type in ("loha", "lokr", "dora"):
        yield Refusal(
            "network.dropout",
            f"The lycoris package has no such dropout for {network.type} and trains without; "
            "set it to 0, or use lora or locon.",
        )


def _optimizer(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    chosen = spec.optimizer
    if not optimizer.is_known(chosen.name):
        names = ", ".join(sorted(optimizer.NAMES))
        yield Refusal(
            "optimizer.name", f"kohya_ss has no optimizer {chosen.name!r}; it has {names}."
        )
    if argument := optimizer.unread(chosen):
        yield Refusal(
            "optimizer.arguments",
            f"sd-scripts cannot read {argument}: it wants one Python value, such as True, 0.9 or "
            "(0.9, 0.99).",
        )
    yield from _schedule(spec)
    if chosen.text_encoder_learning_rate is not None and not family.trains_text_encoder:
        yield Refusal(
            "optimizer.text_encoder_learning_rate",
            f"kohya_ss cannot train the text encoder of {spec.family}; leave it empty.",
        )
    elif chosen.text_encoder_learning_rate not in (None, 0, chosen.learning_rate) and (
        optimizer.finds_its_rate(chosen.name)
    ):
        yield Refusal(
            "optimizer.text_encoder_learning_rate",
            f"{chosen.name} finds one rate for all weights and ends at any other; "
            f"set {chosen.learning_rate:g}, or leave it empty.",
        )


def _schedule(spec: JobSpec) -> Iterator[Refusal]:
    """Schedules that the optimizer does not take, and those that end the run without an option."""
    chosen, config = spec.optimizer, native.of(spec).get("config")
    config = config if isinstance(config, dict) else {}
    name, field = chosen.scheduler, "optimizer.scheduler"
    if optimizer.is_schedule_free(chosen.name):
        if name != "constant":
            yield Refusal(
                field, f"{chosen.name} takes no schedule and ignores {name}; use constant."
            )
        if chosen.warmup_steps:
            yield Refusal(
                "optimizer.warmup_steps",
                f"{chosen.name} takes no schedule; give warmup_steps among its arguments.",
            )
        return
    without_warmup = ""
    if optimizer.has_own_schedule(chosen):
        without_warmup = "adafactor's own schedule"
    elif "lr_scheduler_type" in config:
        without_warmup = str(config["lr_scheduler_type"])
    elif optimizer.is_of_adafactor(name):
        without_warmup = name
        if chosen.name.lower() != "adafactor":
            yield Refusal(field, f"{name} goes with the optimizer adafactor alone.")
        elif not _RATE.fullmatch(name.partition(":")[2]):
            yield Refusal(field, "Write adafactor's schedule with its first rate: adafactor:1e-3.")
    elif name not in optimizer.SCHEDULERS:
        names = ", ".join(sorted(optimizer.SCHEDULERS))
        yield Refusal(field, f"kohya_ss has no schedule {name!r}; it has {names}.")
    elif (wanted := _NEEDS_OPTION.get(name)) and not set(wanted) & _given(config):
        yield Refusal(
            field,
            f"{name} ends the run without {' or '.join(wanted)}; set it in the engine options "
            "(lr_scheduler_args takes arguments).",
        )
    elif name == "piecewise_constant":
        without_warmup = name
    if chosen.warmup_steps and without_warmup:
        yield Refusal("optimizer.warmup_steps", f"{without_warmup} takes no warm-up; set it to 0.")


def _given(config: Mapping[str, Any]) -> set[str]:
    """Options, and arguments of the schedule among them."""
    arguments = config.get("lr_scheduler_args")
    words = arguments if isinstance(arguments, list) else []
    return {*config, *(str(word).partition("=")[0] for word in words)}


def _memory(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    memory = spec.memory
    if memory.quantize != "none" and memory.quantize not in FLOAT8:
        yield Refusal(
            "memory.quantize",
            "kohya_ss holds the base model in 8-bit floats only: qfloat8 or none.",
        )
    if memory.quantize in FLOAT8 and memory.mixed_precision in ("no", "fp32"):
        yield Refusal("memory.quantize", "8-bit floats need mixed precision fp16 or bf16.")
    if memory.quantize in FLOAT8 and spec.family == "anima":
        yield Refusal("memory.quantize", f"kohya_ss cannot quantise {spec.family}.")
    if memory.offload and not family.swap_blocks:
        yield Refusal("memory.offload", f"kohya_ss cannot offload {spec.family}; set it to 0.")
    if memory.attention == "flash" and spec.family != "lumina2":
        yield Refusal(
            "memory.attention",
            f"kohya_ss has no flash attention for {spec.family}; use sdpa or xformers.",
        )
    if memory.cache_text == "none":
        return
    if not family.caches_text:
        yield Refusal(
            "memory.cache_text", f"kohya_ss cannot cache captions for {spec.family}; use none."
        )
    if spec.optimizer.text_encoder_learning_rate is not None:
        yield Refusal(
            "memory.cache_text", "Captions cannot be cached while the text encoder is trained."
        )


def _loss(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    loss = spec.loss
    if loss.min_snr_gamma is not None and family.flow:
        yield Refusal(
            "loss.min_snr_gamma", f"kohya_ss ignores min-SNR on {spec.family}; leave it empty."
        )
    if loss.noise_offset and family.flow:
        yield Refusal(
            "loss.noise_offset", f"kohya_ss ignores a noise offset on {spec.family}; set it to 0."
        )
    if loss.guidance is not None and spec.family not in ("flux", "chroma"):
        yield Refusal("loss.guidance", f"{spec.family} takes no training guidance; leave it empty.")
    if loss.timestep_sampling is not None:
        known = TIMESTEPS.get(family.script, ())
        if loss.timestep_sampling not in known:
            lacks = f"has no {loss.timestep_sampling!r}" if known else "has no choice of timesteps"
            fits = f"use {', '.join(known)} or leave it empty" if known else "leave it empty"
            yield Refusal("loss.timestep_sampling", f"kohya_ss {lacks} for {spec.family}; {fits}.")


def _captions(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    for index, dataset in enumerate(spec.datasets):
        if spec.memory.cache_text != "none" and dataset.shuffle_tags:
            yield Refusal(
                f"datasets.{index}.shuffle_tags",
                "Tags cannot be shuffled while captions are cached.",
            )
        if (
            spec.memory.cache_text != "none"
            and dataset.caption_dropout
            and family.script != "anima_train_network"
        ):
            yield Refusal(
                f"datasets.{index}.caption_dropout",
                "Captions cannot be dropped while they are cached.",
            )
        if dataset.keep_tags and not dataset.shuffle_tags:
            yield Refusal(
                f"datasets.{index}.keep_tags",
                "Keeping tags has an effect only when tags are shuffled.",
            )
    for prompt in spec.sampling.prompts:
        if problem := prompts.problem(prompt):
            yield Refusal("sampling.prompts", f"The prompt {prompt[:40]!r} {problem}.")
            return
        if problem := prompts.problem(with_trigger(prompt, spec.trigger_word)):
            yield Refusal("trigger_word", f"It stands in the sample prompts, and {problem}.")
            return


def _rest(spec: JobSpec, family: KohyaFamily) -> Iterator[Refusal]:
    if spec.ema.enabled:
        yield Refusal("ema.enabled", "kohya_ss has no EMA; switch it off or choose ai-toolkit.")
    if spec.buckets.enabled and spec.buckets.step % family.bucket_divisor:
        yield Refusal(
            "buckets.step",
            f"The bucket step must divide by {family.bucket_divisor} for {spec.family}.",
        )
    if spec.buckets.enabled and spec.buckets.min > spec.buckets.max:
        yield Refusal("buckets.min", "The smallest edge is longer than the longest.")
