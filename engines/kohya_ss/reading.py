"""Reads groups of sd-scripts' keys into our document: optimizer, memory, network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engines.kohya_ss import optimizer


class Reader:
    """Takes keys out of a flat config one by one; what is left at the end goes on as it is."""

    def __init__(self, flat: dict[str, Any], family: str, say: Callable[[str], None]) -> None:
        self.flat = dict(flat)
        self.family = family
        self.say = say
        self.document: dict[str, Any] = {"family": family, "engine": "kohya_ss", "datasets": []}

    def take(self, key: str) -> Any:
        return self.flat.pop(key, None)

    def put(self, path: str, value: Any) -> None:
        place = self.document
        *parents, last = path.split(".")
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value


def read_optimizer(reader: Reader) -> None:
    kind = reader.take("optimizer_type")
    if kind:
        known = {name.lower(): ours for ours, name in optimizer.NAMES.items()}
        reader.put("optimizer.name", known.get(str(kind).lower(), str(kind)))
    arguments = reader.take("optimizer_args")
    if isinstance(arguments, str):
        arguments = arguments.split()
    if arguments:
        parsed = dict(word.partition("=")[::2] for word in arguments)
        decay = parsed.pop("weight_decay", None)
        if decay is not None:
            reader.put("optimizer.weight_decay", decay)
        if parsed:
            reader.put("optimizer.arguments", parsed)
    unet, whole = reader.take("unet_lr"), reader.flat.get("learning_rate")
    if unet not in (None, ""):
        reader.flat["learning_rate"] = unet
        if whole not in (None, "", unet) and float(whole) != float(unet):
            reader.say("dropped learning_rate: unet_lr wins over it")
    text = reader.take("text_encoder_lr")
    if isinstance(text, list):
        if len(set(text)) > 1:
            reader.say(
                "translated text_encoder_lr -> optimizer.text_encoder_learning_rate: the first rate serves all"
            )
        text = text[0] if text else None
    unet_only = reader.take("network_train_unet_only")
    if not unet_only and reader.family in ("sd15", "sd2", "sdxl"):
        reader.put(
            "optimizer.text_encoder_learning_rate", text or reader.flat.get("learning_rate") or 1e-4
        )
    warmup = reader.take("lr_warmup_steps")
    if isinstance(warmup, float) or (isinstance(warmup, str) and "." in warmup):
        reader.say("dropped lr_warmup_steps: a share of the run; give warm-up steps in its place")
    elif warmup:
        reader.put("optimizer.warmup_steps", int(warmup))


def read_memory(reader: Reader) -> None:
    for key, path in (
        ("cache_latents", "memory.cache_latents"),
        ("cache_text_encoder_outputs", "memory.cache_text"),
    ):
        memory, disk = reader.take(key), reader.take(f"{key}_to_disk")
        reader.put(path, "disk" if is_on(disk) else "memory" if is_on(memory) else "none")
    if is_on(reader.take("fp8_base")):
        reader.put("memory.quantize", "qfloat8")
    reader.put("memory.gradient_checkpointing", is_on(reader.take("gradient_checkpointing")))
    for attention in ("xformers", "sdpa"):
        if is_on(reader.take(attention)):
            reader.put("memory.attention", attention)
    precision = reader.take("save_precision")
    if precision:
        reader.put("saving.precision", {"float": "fp32"}.get(str(precision), precision))


def is_on(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def read_network(reader: Reader) -> None:
    module = str(reader.take("network_module") or "")
    arguments = reader.take("network_args") or []
    if isinstance(arguments, str):
        arguments = arguments.split()
    parsed = dict(str(word).partition("=")[::2] for word in arguments)
    kinds = {"loha": "loha", "lokr": "lokr", "locon": "locon"}
    algorithm = parsed.get("algo", "")
    if module == native_module("lycoris") and algorithm in kinds and algorithm != "locon":
        reader.put("network.type", kinds[algorithm])
        parsed.pop("algo")
        parsed.pop("preset", None)
    elif module not in ("", "networks.lora", "networks.lora_flux", "networks.lora_sd3", "networks.lora_lumina",
                        "networks.lora_anima", "networks.lora_hunyuan_image"):  # fmt: skip
        reader.flat["network_module"] = module
    elif parsed.get("conv_dim"):
        reader.put("network.type", "locon")
    if "network_module" not in reader.flat:
        for key, path in (("conv_dim", "network.conv_rank"), ("conv_alpha", "network.conv_alpha")):
            if parsed.get(key):
                reader.put(path, parsed.pop(key))
    if parsed:
        reader.flat["network_args"] = [f"{key}={value}" for key, value in parsed.items()]


def native_module(name: str) -> str:
    """The module that holds LoHa, LoKr and their kin."""
    return {"lycoris": "lycoris.kohya"}[name]
