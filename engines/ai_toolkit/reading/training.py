"""Network, optimizer, schedule, length and the other keys of the train section."""

from __future__ import annotations

import math
from typing import Any

from engines.ai_toolkit.model import is_guided
from engines.ai_toolkit.network import FULL_RANK, takes_convolutions
from engines.ai_toolkit.reading.source import ABSENT, Source
from engines.families import Family
from engines.importing import NotAConfigError

_PRECISION = {
    "fp32": "fp32", "float32": "fp32", "float": "fp32", "fp16": "fp16", "float16": "fp16",
    "bf16": "bf16", "bfloat16": "bf16",
}  # fmt: skip
_CONVOLUTIONS = {"network.conv": "network.conv_rank", "network.conv_alpha": "network.conv_alpha"}
_TORCH_DECAY = ("adamw", "adamw8bit", "ademamix8bit")


def precision(source: Source, path: str, target: str, default: str) -> None:
    """A number format, whose names differ."""
    value = source.take(path)
    word = _PRECISION.get(str(value).lower()) if value is not ABSENT else default
    if word is None:
        source.dropped(path, f"there is no number format {value}")
        word = default
    elif value is not ABSENT and value != word:
        source.translated(path, target)
    source.set(target, word)


def read_network(source: Source, family: Family) -> None:
    """The network section. Raises NotAConfigError where none is trained."""
    kind = str(source.take("network.type", "lora")).lower()
    if kind == "lorm":
        raise NotAConfigError("It extracts a LoRM and trains no LoRA.")
    word = {"lokr": "lokr", "locon": "locon", "lycoris": "locon"}.get(kind, "lora")
    convolutions = family.ai_toolkit is None or takes_convolutions(family.ai_toolkit)
    if word == "locon" and not (convolutions and source.has("network.conv")):
        word = "lora"
    if word != kind:
        source.translated("network.type", "network.type")
    source.set("network.type", word)
    _read_rank(source, word)
    _read_alpha(source, family)
    _read_convolutions(source, family)
    if word == "lokr" and source.values.get("network.dropout"):
        source.take("network.dropout")
        source.dropped("network.dropout", "ai-toolkit has no dropout in a LoKr")
    source.move("network.dropout", "network.dropout", 0.0)
    start = source.take("network.pretrained_lora_path", None)
    if start:
        source.set("resume", {"from": start})
        source.translated("network.pretrained_lora_path", "resume")


def _read_alpha(source: Source, family: Family) -> None:
    """Alpha. In a transformer the engine takes the rank for it, so that is what the spec says."""
    path = _read_pair(source, ("network.linear_alpha", "network.alpha"), "network.alpha", 1.0)
    network, engine = source.document["network"], family.ai_toolkit
    if network["rank"] == FULL_RANK:
        source.set("network.alpha", 1.0)
    elif engine is not None and not engine.scales_by_alpha and network["alpha"] != network["rank"]:
        if path:
            why = f"ai-toolkit takes the rank for alpha of {family.key}"
            source.translated(path, "network.alpha", why=why)
        source.set("network.alpha", network["rank"])


def _read_convolutions(source: Source, family: Family) -> None:
    able = family.ai_toolkit is None or takes_convolutions(family.ai_toolkit)
    full = source.document["network"]["rank"] == FULL_RANK
    for path, target in _CONVOLUTIONS.items():
        why = "a LoKr of full rank trains them in full" if full else "no convolutions are trained"
        why = why if able else f"{family.key} has no convolutions to train"
        rank = source.document["network"].get("conv_rank")
        if able and not full and (rank or target == "network.conv_rank"):
            source.move(path, target, None)
        elif source.take(path) is not ABSENT:
            source.dropped(path, why)


def _read_rank(source: Source, word: str) -> None:
    """The rank; LoKr's full rank is a rank of its own here."""
    full = source.take("network.lokr_full_rank")
    if word == "lokr" and (full is ABSENT or full):
        source.set("network.rank", FULL_RANK)
        for path in ("network.linear", "network.rank"):
            if source.take(path) is not ABSENT:
                source.dropped(path, "a LoKr of full rank ignores it")
        for path in ("network.linear_alpha", "network.alpha"):
            if source.take(path) is not ABSENT:
                source.dropped(path, "a LoKr of full rank ignores it")
        if full is not ABSENT:
            source.translated("network.lokr_full_rank", "network.rank")
        return
    if full is not ABSENT:
        if word == "lokr":
            source.translated("network.lokr_full_rank", "network.rank")
        else:
            source.dropped("network.lokr_full_rank", "only a LoKr has it")
    _read_pair(source, ("network.rank", "network.linear"), "network.rank", 4)


def _read_pair(source: Source, paths: tuple[str, str], target: str, default: Any) -> str:
    """Two names of one thing: the first counts. Returns the one that did, if any."""
    found = ""
    for path in paths:
        value = source.take(path)
        if value is ABSENT:
            continue
        if found or value is None:
            source.dropped(path, f"{paths[0]} counts" if found else "it is empty")
        else:
            found = path
            source.set(target, value)
    if not found:
        source.set(target, default)
    return found


def read_optimizer(source: Source, family: Family) -> None:
    """Optimizer, its arguments, the schedule and the text encoder."""
    source.move("train.optimizer", "optimizer.name", "adamw")
    source.move("train.lr", "optimizer.learning_rate", 1e-6)
    name = str(source.document["optimizer"]["name"]).lower()
    decay = 0.01 if name in _TORCH_DECAY else 0.0
    arguments: dict[str, Any] = {}
    for path in [path for path in source.values if path.startswith("train.optimizer_params.")]:
        key = path.rpartition(".")[2]
        value = source.take(path)
        if key == "weight_decay":
            decay = value
        else:
            arguments[key] = value
    source.take("train.optimizer_params")
    source.set("optimizer.weight_decay", decay)
    source.set("optimizer.arguments", arguments)
    _read_schedule(source)
    for path in ("train.unet_lr", "train.text_encoder_lr"):
        if source.take(path) is not ABSENT:
            source.dropped(path, "ai-toolkit does not use it for a LoRA")
    _read_text_encoder(source, family)


def _read_text_encoder(source: Source, family: Family) -> None:
    path, target = "train.train_text_encoder", "optimizer.text_encoder_learning_rate"
    trains = source.take(path)
    if trains is ABSENT:
        return
    if trains and family.key not in ("sd15", "sdxl", "sd2"):
        source.dropped(path, f"the text encoder of {family.key} is not trained")
        return
    rate = source.document["optimizer"]["learning_rate"] if trains else None
    source.translated(path, target, rate)


def _read_schedule(source: Source) -> None:
    name = source.take("train.lr_scheduler")
    name = "constant" if name in (ABSENT, None) else name
    given = "train.lr_scheduler_params."
    paths = [path for path in source.values if path.startswith(given)]
    parameters = {path.removeprefix(given): source.take(path) for path in paths}
    source.take("train.lr_scheduler_params")
    source.set("optimizer.scheduler", name)
    warmup = 0
    if name == "constant_with_warmup":
        warmup = parameters.pop("num_warmup_steps", 1000)
    elif name == "linear":
        usual = {"start_factor": 1.0, "end_factor": 0.0}
        if parameters == usual:
            for key in list(parameters):
                source.translated(f"{given}{key}", "optimizer.scheduler")
            parameters = {}
        else:
            # Its own linear ramps up from a third; ours goes down to 0.
            parameters = {"start_factor": 1 / 3, "end_factor": 1.0, **parameters}
    source.set("optimizer.warmup_steps", warmup)
    for key, value in parameters.items():
        if key == "num_warmup_steps":
            source.dropped(f"{given}{key}", f"{name} takes no warm-up in ai-toolkit")
        else:
            source.keep(f"{given}{key}", value)


def read_length(source: Source) -> None:
    """Steps, batches and accumulation. The old accumulation counted batches as steps."""
    steps = source.take("train.steps", None)
    steps = 1000 if steps is None else steps
    source.move("train.batch_size", "batch.size", 1)
    old = source.take("train.gradient_accumulation_steps")
    source.move("train.gradient_accumulation", "batch.gradient_accumulation", 1)
    path = "train.gradient_accumulation_steps"
    if isinstance(old, int) and old > 1:
        source.translated(path, "batch.gradient_accumulation", old)
        source.translated("train.steps", "length.steps")
        steps = math.ceil(steps / old) if isinstance(steps, int | float) else steps
    elif old is not ABSENT:
        source.dropped(path, "1 changes nothing" if old == 1 else "a whole epoch is no step here")
    source.set("length.steps", steps)


def read_rest(source: Source, family: Family) -> None:
    """Precision, loss, EMA and saving."""
    precision(source, "train.dtype", "memory.mixed_precision", "fp32")
    source.move("train.gradient_checkpointing", "memory.gradient_checkpointing", True)
    flow = family.ai_toolkit is not None and family.ai_toolkit.flow
    for key, default in (("min_snr_gamma", None), ("noise_offset", 0.0)):
        if flow and source.values.get(f"train.{key}"):
            source.take(f"train.{key}")
            source.dropped(
                f"train.{key}", f"it has no meaning for {family.key}, which is flow matching"
            )
        else:
            source.move(f"train.{key}", f"loss.{key}", default)
    _read_timesteps(source, family, flow)
    if family.ai_toolkit is not None and is_guided(family.ai_toolkit):
        source.move("train.cfg_scale", "loss.guidance", None)
    source.move("train.ema_config.use_ema", "ema.enabled", False)
    source.move("train.ema_config.ema_decay", "ema.decay", 0.999)
    source.take("train.ema_config")
    precision(source, "save.dtype", "saving.precision", "fp16")
    read_interval(source, "save.save_every", "saving.every_steps", 1000)
    source.move("save.max_step_saves_to_keep", "saving.keep", 5)


def read_interval(source: Source, path: str, target: str, default: int) -> None:
    """Steps between two saves or samples. Nought or null is never: once at the end here."""
    value = source.take(path)
    if value in (0, None, False):
        source.translated(path, target, source.document["length"]["steps"])
    else:
        source.set(target, default if value is ABSENT else value)


def _read_timesteps(source: Source, family: Family, flow: bool) -> None:
    scheduler = source.take("train.noise_scheduler")
    if scheduler is not ABSENT:
        own = "flowmatch" if flow else "ddpm"
        if scheduler == own:
            source.translated("train.noise_scheduler", "family")
        else:
            source.dropped("train.noise_scheduler", f"{family.key} is trained with {own}")
    path = "train.timestep_type"
    if not flow and source.take(path) is not ABSENT:
        source.dropped(path, f"{family.key} is not trained by flow matching")
    # What the form does not set for the family is the engine's own "sigmoid".
    usual = family.ai_toolkit.defaults.get(path) if family.ai_toolkit else None
    default = "sigmoid" if flow and usual not in (None, "sigmoid") else None
    source.move(path, "loss.timestep_sampling", default)
