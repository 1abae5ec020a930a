"""Optimizers and schedules by the names that sd-scripts knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engines.spec import Optimizer

NAMES = {
    "adamw": "AdamW", "adamw8bit": "AdamW8bit", "pagedadamw": "PagedAdamW",
    "pagedadamw8bit": "PagedAdamW8bit", "pagedadamw32bit": "PagedAdamW32bit",
    "lion": "Lion", "lion8bit": "Lion8bit", "pagedlion8bit": "PagedLion8bit",
    "sgdnesterov": "SGDNesterov", "sgdnesterov8bit": "SGDNesterov8bit",
    "dadaptation": "DAdaptation", "dadaptadam": "DAdaptAdam", "dadaptadan": "DAdaptAdan",
    "dadaptadanip": "DAdaptAdanIP", "dadaptadagrad": "DAdaptAdaGrad", "dadaptlion": "DAdaptLion",
    "dadaptsgd": "DAdaptSGD", "prodigy": "Prodigy", "adafactor": "AdaFactor",
    "adamwschedulefree": "AdamWScheduleFree", "sgdschedulefree": "SGDScheduleFree",
    "radamschedulefree": "RAdamScheduleFree",
}  # fmt: skip
"""Our lower-case name -> the engine's own."""

SCHEDULERS = frozenset(
    {
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts",
        "polynomial", "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay",
        "piecewise_constant",
    }
)  # fmt: skip
NEEDS_GPU = ("8bit", "paged")
_NO_WEIGHT_DECAY = frozenset({"adafactor"})


def is_schedule(name: str) -> bool:
    """Whether the engine has it; AdaFactor's own may carry its first rate."""
    return name in SCHEDULERS or name.partition(":")[0] == "adafactor"


def is_known(name: str) -> bool:
    """Whether the engine has it: one of its names, or a dotted class."""
    return name.lower() in NAMES or "." in name


def finds_its_rate(name: str) -> bool:
    """Whether the optimizer adapts the rate by itself and wants one of about 1."""
    return name.lower().startswith(("prodigy", "dadapt"))


def scheduler(optimizer: Optimizer) -> str:
    """The schedule's name; constant with a warm-up has one of its own."""
    if optimizer.scheduler == "constant" and optimizer.warmup_steps:
        return "constant_with_warmup"
    return optimizer.scheduler


def config(optimizer: Optimizer) -> dict[str, Any]:
    """The keys of the job TOML that describe optimizer and schedule."""
    values: dict[str, Any] = {
        "optimizer_type": NAMES.get(optimizer.name.lower(), optimizer.name),
        "learning_rate": float(optimizer.learning_rate),
        "lr_scheduler": scheduler(optimizer),
    }
    arguments = [f"{key}={value}" for key, value in _arguments(optimizer)]
    if arguments:
        values["optimizer_args"] = arguments
    if optimizer.warmup_steps:
        # An integer is steps; a float would be a share of the run.
        values["lr_warmup_steps"] = optimizer.warmup_steps
    if optimizer.text_encoder_learning_rate is None:
        values["network_train_unet_only"] = True
    else:
        values["unet_lr"] = float(optimizer.learning_rate)
        values["text_encoder_lr"] = [float(optimizer.text_encoder_learning_rate)]
    return values


def _arguments(optimizer: Optimizer) -> Iterator[tuple[str, Any]]:
    name = optimizer.name.lower()
    if "weight_decay" not in optimizer.arguments and name not in _NO_WEIGHT_DECAY:
        yield "weight_decay", optimizer.weight_decay
    if name == "adafactor" and not optimizer.arguments:
        # Its own schedule would replace ours, and it takes no learning rate with it.
        yield from (("scale_parameter", False), ("relative_step", False), ("warmup_init", False))
    yield from optimizer.arguments.items()
