"""Optimizers and schedules by the names that sd-scripts knows."""

from __future__ import annotations

import ast
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
_OWN_RATE_OF_ADAFACTOR = ("scale_parameter", "relative_step", "warmup_init")


def is_of_adafactor(schedule: str) -> bool:
    """Whether it is AdaFactor's own schedule, which carries its first rate: ``adafactor:1e-3``."""
    return schedule.partition(":")[0] == "adafactor"


def has_own_schedule(optimizer: Optimizer) -> bool:
    """Whether AdaFactor was asked for its own schedule, which then replaces any other."""
    chosen = {name: str(value) in ("True", "1") for name, value in optimizer.arguments.items()}
    own = chosen.get("relative_step") or chosen.get("warmup_init")
    return optimizer.name.lower() == "adafactor" and bool(own)


def is_schedule_free(name: str) -> bool:
    """Whether the optimizer takes no schedule."""
    return name.lower().endswith("schedulefree")


def unread(optimizer: Optimizer) -> str:
    """The first argument that sd-scripts could not read, as ``key=value``; empty where it can all.

    It takes what stands behind the one ``=`` for a Python literal, once the model is loaded.
    """
    for key, value in optimizer.arguments.items():
        text = f"{key}={value}"
        try:
            ast.literal_eval(f"{value}")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        if text.count("=") != 1:
            return text
    return ""


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
    if "weight_decay" not in optimizer.arguments:
        yield "weight_decay", optimizer.weight_decay
    if name == "adafactor" and not has_own_schedule(optimizer):
        # Its own schedule would replace ours, and it takes no learning rate with it.
        yield from (
            (key, False) for key in _OWN_RATE_OF_ADAFACTOR if key not in optimizer.arguments
        )
    yield from optimizer.arguments.items()
