"""Optimizers and schedules: canonical names in ai-toolkit's words, and what it cannot do.

Source: toolkit/optimizer.py and toolkit/scheduler.py of the pinned commit; the schedules were
measured over 100 steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engines import families
from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.spec import JobSpec

NAMES = {
    "adam": "adam", "adamw": "adamw", "adam8": "adam8", "adamw8": "adamw8",
    "adam8bit": "adam8bit", "adamw8bit": "adamw8bit", "ademamix8bit": "ademamix8bit",
    "lion8bit": "lion8bit", "adagrad": "adagrad", "adafactor": "adafactor",
    "prodigy": "prodigy", "prodigy8bit": "prodigy8bit", "prodigyopt": "prodigy",
    "automagic": "automagic", "automagic2": "automagic2", "automagic3": "automagic3",
}  # fmt: skip
"""Canonical and kohya_ss names in lower case, to ai-toolkit's."""

_TORCH = "betas weight_decay amsgrad foreach maximize capturable differentiable fused"
_BITS = "betas weight_decay min_8bit_size is_paged"
_PRODIGY = (
    "betas beta3 weight_decay decouple use_bias_correction safeguard_warmup d0 d_coef growth_rate "
    "fsdp_in_use"
)
_AUTOMAGIC = "min_lr max_lr beta2 eps clip_threshold weight_decay"
_SWAPPING = "do_paramiter_swapping paramiter_swapping_factor"
ARGUMENTS: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "adam": f"{_TORCH} decoupled_weight_decay", "adamw": _TORCH,
        "adam8": "betas weight_decay decouple", "adamw8": "betas weight_decay",
        "adam8bit": f"{_BITS} amsgrad optim_bits args", "lion8bit": f"{_BITS} args",
        "adamw8bit": f"{_BITS} amsgrad optim_bits args",
        "ademamix8bit": f"{_BITS} alpha t_alpha t_beta3",
        "adagrad": "lr_decay weight_decay initial_accumulator_value eps foreach maximize "
                   "differentiable fused",
        "adafactor": "eps clip_threshold decay_rate beta1 weight_decay scale_parameter relative_step "
                     f"warmup_init stochastic_accumulation stochastic_rounding {_SWAPPING}",
        "prodigy": f"{_PRODIGY} slice_p", "prodigy8bit": _PRODIGY,
        "automagic": f"{_AUTOMAGIC} lr_bump {_SWAPPING}",
        "automagic2": f"{_AUTOMAGIC} lr_bump agreement_threshold",
        "automagic3": f"{_AUTOMAGIC} polarity_history fused",
    }.items()
}  # fmt: skip
"""What each takes beside lr (its constructor at the pinned commit); another name ends the run with a
TypeError after the model is loaded."""

_WITHOUT_PACKAGE = {"lion": "lion8bit", "dadapt": "prodigy"}
"""Known to it, but its requirements do not install the package: it would end after the model is
loaded. By the front of the name, with what is alike."""

_OWN_RATE = "prodigy"
_SMALLEST_OWN_RATE = 0.1
_SETS_EPS = ("adam", "prodigy", "ademamix")

SCHEDULES = ("constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear")
_WARMS_UP = ("constant", "constant_with_warmup")


def native_name(name: str) -> str | None:
    """ai-toolkit's word for an optimizer, or None."""
    return NAMES.get(name.lower())


def needs_gpu(name: str) -> bool:
    """Whether the optimizer holds its state in 8 bits, which is CUDA code."""
    return (native_name(name) or "").endswith(("8bit", "8"))


def finds_its_rate(name: str) -> bool:
    """Whether the optimizer adapts the rate by itself and wants one of about 1."""
    return (native_name(name) or "").startswith(_OWN_RATE)


def _is_default_rate(spec: JobSpec) -> bool:
    family = families.get(spec.family)
    defaults = {1e-4, family.defaults.get("optimizer.learning_rate") if family else None}
    return spec.optimizer.learning_rate in defaults


def refuse(spec: JobSpec) -> Iterator[Refusal]:
    """What of the optimizer and the schedule the engine cannot do."""
    optimizer = spec.optimizer
    native = native_name(optimizer.name)
    alike = next(
        (b for a, b in _WITHOUT_PACKAGE.items() if optimizer.name.lower().startswith(a)), ""
    )
    if native is None and alike:
        yield Refusal(
            "optimizer.name",
            f"ai-toolkit is installed without the package of {optimizer.name}; use {alike}.",
        )
    elif native is None:
        yield Refusal(
            "optimizer.name",
            f"ai-toolkit has no optimizer {optimizer.name}; it has "
            f"{', '.join(sorted(set(NAMES.values())))}.",
        )
    rate = optimizer.learning_rate
    if finds_its_rate(optimizer.name) and rate < _SMALLEST_OWN_RATE and not _is_default_rate(spec):
        yield Refusal(
            "optimizer.learning_rate",
            f"{optimizer.name} finds the rate itself and ai-toolkit replaces rates under "
            f"{_SMALLEST_OWN_RATE} by 1.0; set 1.0.",
        )
    for taken, field in _taken_arguments(native or ""):
        if taken in optimizer.arguments:
            yield Refusal("optimizer.arguments", f"{taken} is set by {field}; remove it here.")
    yield from _refuse_strangers(spec, native or "")
    yield from _refuse_schedule(spec)
    yield from _refuse_text_encoder(spec)


def _refuse_strangers(spec: JobSpec, native: str) -> Iterator[Refusal]:
    known = ARGUMENTS.get(native)
    taken = {name for name, _ in _taken_arguments(native)}
    for name in spec.optimizer.arguments:
        if known is not None and name not in known | taken:
            yield Refusal(
                "optimizer.arguments",
                f"{native} of ai-toolkit takes no argument {name}; it takes "
                f"{', '.join(sorted(known - taken))}.",
            )


def _taken_arguments(native: str) -> Iterator[tuple[str, str]]:
    yield "lr", "optimizer.learning_rate"
    yield "weight_decay", "optimizer.weight_decay"
    if native.startswith(_SETS_EPS):
        yield "eps", "ai-toolkit itself (1e-6)"
    if native == "adamw8":
        yield "decouple", "ai-toolkit itself"


def _refuse_schedule(spec: JobSpec) -> Iterator[Refusal]:
    optimizer = spec.optimizer
    if optimizer.scheduler not in SCHEDULES:
        yield Refusal(
            "optimizer.scheduler",
            f"ai-toolkit cannot run the schedule {optimizer.scheduler}; use "
            f"{', '.join(SCHEDULES)}.",
        )
    elif optimizer.warmup_steps and optimizer.scheduler not in _WARMS_UP:
        yield Refusal(
            "optimizer.warmup_steps",
            f"ai-toolkit has no warm-up with {optimizer.scheduler}; set 0, or use constant, "
            "or kohya_ss.",
        )


def _refuse_text_encoder(spec: JobSpec) -> Iterator[Refusal]:
    rate = spec.optimizer.text_encoder_learning_rate
    if not rate:
        return
    field = "optimizer.text_encoder_learning_rate"
    if spec.family not in ("sd15", "sdxl"):
        yield Refusal(field, f"ai-toolkit trains no text encoder of {spec.family}; leave it empty.")
    elif rate != spec.optimizer.learning_rate:
        yield Refusal(
            field,
            "ai-toolkit trains the text encoder at the learning rate itself; set the same number, "
            "or use kohya_ss.",
        )
    elif spec.memory.cache_text != "none":
        yield Refusal(field, "A text encoder whose captions are cached cannot be trained.")


def write(draft: Draft, spec: JobSpec) -> None:
    """The optimizer's keys of the train section."""
    optimizer = spec.optimizer
    rate = optimizer.learning_rate
    if finds_its_rate(optimizer.name) and rate < _SMALLEST_OWN_RATE:
        rate = 1.0
        draft.note(
            f"{optimizer.name} finds the learning rate itself: written as 1.0, not the default."
        )
    draft.put("train.optimizer", native_name(optimizer.name), "optimizer.name")
    draft.put("train.lr", rate, "optimizer.learning_rate")
    draft.put("train.optimizer_params", dict(optimizer.arguments), "optimizer.arguments")
    draft.put(
        "train.optimizer_params.weight_decay", optimizer.weight_decay, "optimizer.weight_decay"
    )
    _write_schedule(draft, spec)
    trains_text = bool(optimizer.text_encoder_learning_rate)
    draft.put("train.train_unet", True)
    draft.put("train.train_text_encoder", trains_text, "optimizer.text_encoder_learning_rate")
    if trains_text:
        draft.note("The text encoder is trained at the same learning rate as the rest.")


def _write_schedule(draft: Draft, spec: JobSpec) -> None:
    name, warmup = spec.optimizer.scheduler, spec.optimizer.warmup_steps
    parameters: dict[str, Any] = {}
    if name in _WARMS_UP and (warmup or name == "constant_with_warmup"):
        name, parameters = "constant_with_warmup", {"num_warmup_steps": warmup}
    elif name == "linear":
        # Left alone its linear schedule ramps up from a third to the full rate.
        parameters = {"start_factor": 1.0, "end_factor": 0.0}
    elif name == "cosine_with_restarts":
        draft.note("cosine_with_restarts runs one single cycle on ai-toolkit, like cosine.")
    draft.put("train.lr_scheduler", name, "optimizer.scheduler")
    draft.put("train.lr_scheduler_params", parameters, "optimizer.scheduler")
    if "num_warmup_steps" in parameters:
        draft.put("train.lr_scheduler_params.num_warmup_steps", warmup, "optimizer.warmup_steps")
