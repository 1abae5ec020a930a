"""Reads what is trained and how: network, optimizer, memory, loss.

Where the config is silent, sd-scripts' own default is written, so that the run stays the same.
"""

from __future__ import annotations

from typing import Any

from engines import families
from engines.kohya_ss import optimizer, options
from engines.kohya_ss.config import SAVE_PRECISION
from engines.kohya_ss.network import LYCORIS
from engines.kohya_ss.reading.ledger import Ledger, asked, is_on, same, whole
from engines.kohya_ss.refusals import TIMESTEPS

_ALGORITHMS = {"loha": "loha", "lokr": "lokr", "lora": "dora"}
_ENGINE_RANK = 4
_DECAY_OF_ADAMW = 0.01


def as_arguments(value: Any) -> dict[str, str]:
    """``["a=1", "b=2"]``, or the same as one text, as a mapping."""
    words = value.replace('"', "").split() if isinstance(value, str) else value or []
    if not isinstance(words, list):
        raise ValueError(f"{value!r} is no list of arguments")
    return {name: text for name, _, text in (str(word).partition("=") for word in words)}


def read_network(ledger: Ledger) -> None:
    """The kind of network, where there is one for it; else module and arguments as they are."""
    dim, alpha = ledger.take("network_dim"), ledger.take("network_alpha")
    ledger.put("network.rank", _ENGINE_RANK)
    ledger.put("network.alpha", 1.0)
    if asked(dim):
        ledger.move("network_dim", "network.rank", whole(dim))
    if asked(alpha) is not None:
        ledger.move("network_alpha", "network.alpha", asked(alpha))
    dropout = ledger.take("network_dropout")
    if asked(dropout):
        ledger.move("network_dropout", "network.dropout", asked(dropout))
    _kind(ledger)
    weights = ledger.take("network_weights")
    if weights:
        ledger.put("resume", {"from": str(weights)})
        ledger.translated("network_weights", "resume")


def _kind(ledger: Ledger) -> None:
    family = families.families()[ledger.family].kohya
    assert family is not None
    module = str(ledger.take("network_module") or family.network_module)
    arguments = as_arguments(ledger.take("network_args"))
    given = ledger.source.get("network_args")
    if module == LYCORIS and _lycoris_kind(arguments):
        ledger.put("network.type", _ALGORITHMS[arguments.pop("algo")])
        usual = "full" if asked(arguments.get("conv_dim")) else "attn-mlp"
        if arguments.get("preset") == usual:
            arguments.pop("preset")
        arguments.pop("dora_wd", None) if ledger.document["network"]["type"] == "dora" else None
    elif module != family.network_module:
        ledger.keep("network_module", module)
        if arguments:
            ledger.keep("network_args", [f"{name}={text}" for name, text in arguments.items()])
        return
    elif asked(arguments.get("conv_dim")):
        ledger.put("network.type", "locon")
    if ledger.source.get("network_module"):
        ledger.translated("network_module", "network.type")
    _convolutions(ledger, arguments)
    if arguments:
        ledger.keep("network_args", [f"{name}={text}" for name, text in arguments.items()])
    elif given:
        ledger.translated("network_args", "network")


def _lycoris_kind(arguments: dict[str, str]) -> bool:
    algorithm = arguments.get("algo")
    if algorithm == "lora":
        return arguments.get("dora_wd", "").lower() == "true"
    return algorithm in _ALGORITHMS and "dora_wd" not in arguments


def _convolutions(ledger: Ledger, arguments: dict[str, str]) -> None:
    """Their rank and alpha, which stand among the arguments of the network."""
    rank, alpha = asked(arguments.get("conv_dim")), asked(arguments.get("conv_alpha"))
    if not rank:
        return
    ledger.put("network.conv_rank", whole(rank))
    ledger.put("network.conv_alpha", alpha or 1.0)
    for name, field in (("conv_dim", "network.conv_rank"), ("conv_alpha", "network.conv_alpha")):
        arguments.pop(name, None)
        value = rank if name == "conv_dim" else alpha or 1.0
        ledger.forget(name)
        if name in ledger.source and not same(ledger.source[name], value):
            ledger.translated(name, field)


def read_optimizer(ledger: Ledger) -> None:
    """Optimizer, its arguments, the two rates, schedule and warm-up."""
    kind = ledger.take("optimizer_type")
    known = {name.lower(): ours for ours, name in optimizer.NAMES.items()}
    name = known.get(str(kind or "AdamW").lower(), str(kind))
    ledger.move("optimizer_type", "optimizer.name", name)
    _arguments(ledger, name)
    _rates(ledger)
    schedule = ledger.take("lr_scheduler")
    ledger.move("lr_scheduler", "optimizer.scheduler", str(schedule or "constant"))
    warmup = ledger.take("lr_warmup_steps")
    share = asked(warmup)
    steps = ledger.document.get("length", {}).get("steps")
    ledger.put("optimizer.warmup_steps", 0)
    if not share:
        return
    if share >= 1 and not isinstance(warmup, float):
        ledger.move("lr_warmup_steps", "optimizer.warmup_steps", whole(warmup))
    elif steps and share <= 1:
        ledger.move("lr_warmup_steps", "optimizer.warmup_steps", round(share * steps))
    else:
        ledger.keep("lr_warmup_steps", share)


def _arguments(ledger: Ledger, name: str) -> None:
    given = as_arguments(ledger.take("optimizer_args"))
    decay = given.pop("weight_decay", None)
    usual = (
        _DECAY_OF_ADAMW if name.startswith(("adamw", "pagedadamw")) and "free" not in name else 0.0
    )
    ledger.put("optimizer.weight_decay", usual if decay is None else asked(decay))
    if decay is not None or given:
        ledger.translated("optimizer_args", "optimizer.arguments")
    if name == "adafactor":
        # sd-scripts turns this on by itself; said, it stays so.
        given.setdefault("relative_step", "True")
    if given:
        ledger.put("optimizer.arguments", given)


def _rates(ledger: Ledger) -> None:
    """One rate for the model, one for its text encoder; None leaves the encoder untrained."""
    both, unet = asked(ledger.take("learning_rate")), asked(ledger.take("unet_lr"))
    text = ledger.take("text_encoder_lr")
    many = [r for r in map(asked, text if isinstance(text, list) else [text]) if r is not None]
    model = unet if unet is not None else both
    ledger.put("optimizer.learning_rate", model or 1e-4)
    if unet is not None:
        ledger.move("unet_lr", "optimizer.learning_rate", unet)
    trained = _trains_text(ledger) and (not many or any(many))
    if both is not None and not same(both, model):
        if trained and not many:
            ledger.translated("learning_rate", "optimizer.text_encoder_learning_rate")
        else:
            ledger.dropped("learning_rate", "the rates of U-Net and text encoder win over it")
    elif both is not None:
        ledger.move("learning_rate", "optimizer.learning_rate", both)
    ledger.put("optimizer.text_encoder_learning_rate", None)
    if trained:
        rate = next((r for r in many if r), both or model or 1e-4)
        ledger.move("text_encoder_lr", "optimizer.text_encoder_learning_rate", rate)
        if len(set(many)) > 1:
            ledger.keep("text_encoder_lr", many)
    elif any(many):
        ledger.dropped("text_encoder_lr", "the text encoder is not trained in this run")


def _trains_text(ledger: Ledger) -> bool:
    family = families.families()[ledger.family].kohya
    only = ledger.take("network_train_unet_only")
    if is_on(only):
        ledger.translated("network_train_unet_only", "optimizer.text_encoder_learning_rate")
    cached = any(
        is_on(ledger.native.get(f"cache_text_encoder_outputs{end}")) for end in ("", "_to_disk")
    )
    return bool(family and family.trains_text_encoder and not is_on(only) and not cached)


def read_memory(ledger: Ledger) -> None:
    """Precision, caches, offloading and attention."""
    precision = ledger.take("mixed_precision")
    ledger.move("mixed_precision", "memory.mixed_precision", str(precision or "no"))
    _caches(ledger)
    family = families.families()[ledger.family].kohya
    assert family is not None
    fp8 = "fp8_scaled" if ledger.family == "hunyuan_image" else "fp8_base"
    ledger.put("memory.quantize", "none")
    if is_on(ledger.native.get(fp8)):
        ledger.take(fp8)
        ledger.move(fp8, "memory.quantize", "qfloat8")
    checkpointing = is_on(ledger.take("gradient_checkpointing"))
    ledger.move("gradient_checkpointing", "memory.gradient_checkpointing", checkpointing)
    ledger.put("memory.offload", 0.0)
    blocks = asked(ledger.native.get("blocks_to_swap"))
    if blocks and blocks > 0 and family.swap_blocks:
        ledger.take("blocks_to_swap")
        most = family.most_swapped(ledger.document["base_model"])
        share = min(1.0, round(blocks / most, 6))
        ledger.move("blocks_to_swap", "memory.offload", share)
    for key, word in (("use_flash_attn", "flash"), ("xformers", "xformers"), ("sdpa", "sdpa")):
        if is_on(ledger.take(key)):
            ledger.move(key, "memory.attention", word)
    precision = ledger.take("save_precision")
    names = {native: ours for ours, native in SAVE_PRECISION.items()}
    ledger.move(
        "save_precision", "saving.precision", names.get(str(precision or "float"), precision)
    )
    accumulation = ledger.take("gradient_accumulation_steps")
    if asked(accumulation):
        ledger.move(
            "gradient_accumulation_steps", "batch.gradient_accumulation", whole(accumulation)
        )


def _caches(ledger: Ledger) -> None:
    family = families.families()[ledger.family].kohya
    assert family is not None
    pairs = (
        ("cache_latents", "memory.cache_latents"),
        ("cache_text_encoder_outputs", "memory.cache_text"),
    )
    for key, field in pairs:
        memory, disk = is_on(ledger.take(key)), is_on(ledger.take(f"{key}_to_disk"))
        word = "disk" if disk else "memory" if memory else "none"
        if field.endswith("text") and word != "none" and not family.caches_text:
            ledger.put(field, "none")
            for name in (key, f"{key}_to_disk"):
                ledger.dropped(name, f"sd-scripts caches no captions for {ledger.family}")
            continue
        ledger.put(field, word)
        for name, on in ((key, memory), (f"{key}_to_disk", disk)):
            if on:
                ledger.translated(name, field)


def read_loss(ledger: Ledger) -> None:
    """What the error is measured on; what the family's script ignores is said."""
    family = families.families()[ledger.family].kohya
    assert family is not None
    for key, field in (
        ("min_snr_gamma", "loss.min_snr_gamma"),
        ("noise_offset", "loss.noise_offset"),
    ):
        value = asked(ledger.take(key))
        if value and family.flow:
            ledger.dropped(key, f"sd-scripts ignores it for {ledger.family}")
        elif value:
            ledger.move(key, field, value)
    sampling = ledger.native.get("timestep_sampling")
    if sampling in TIMESTEPS.get(family.script, ()):
        ledger.move("timestep_sampling", "loss.timestep_sampling", ledger.take("timestep_sampling"))
    elif sampling is None and family.timesteps:
        known = options.shipped().data[family.script]["timestep_sampling"]
        ledger.put("loss.timestep_sampling", known["default"])
    if ledger.family in ("flux", "chroma"):
        guidance = asked(ledger.take("guidance_scale"))
        ledger.move("guidance_scale", "loss.guidance", 3.5 if guidance is None else guidance)
