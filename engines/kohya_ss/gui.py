"""Saved settings of the kohya_ss GUI (flat JSON) in the words of sd-scripts.

The GUI drops every value that is empty or zero; its own words are translated or named as lost.
Behaviour read from bmaltais/kohya_ss 45088f04.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

Say = Callable[[str], None]

_FAMILIES = (
    ("sdxl", "sdxl"), ("flux1_checkbox", "flux"), ("sd3_checkbox", "sd3"),
    ("hunyuan_image_checkbox", "hunyuan_image"), ("anima_checkbox", "anima"),
    ("lumina_checkbox", "lumina2"), ("v2", "sd2"),
)  # fmt: skip
_RENAMED = {
    "max_resolution": "resolution", "optimizer": "optimizer_type", "model_list": "",
    "lora_network_weights": "network_weights", "sdxl_no_half_vae": "no_half_vae",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs",
    "flux1_cache_text_encoder_outputs": "cache_text_encoder_outputs",
    "flux1_cache_text_encoder_outputs_to_disk": "cache_text_encoder_outputs_to_disk",
    "sd3_cache_text_encoder_outputs": "cache_text_encoder_outputs",
    "sd3_cache_text_encoder_outputs_to_disk": "cache_text_encoder_outputs_to_disk",
    "flux1_clip_l": "clip_l", "flux1_t5xxl": "t5xxl", "sd3_clip_l": "clip_l",
    "sd3_clip_g": "clip_g", "sd3_t5xxl": "t5xxl",
}  # fmt: skip
_LYCORIS = {
    "LyCORIS/LoHa": "loha", "LyCORIS/LoKr": "lokr", "LyCORIS/LoCon": "locon", "LoCon": "locon",
    "LyCORIS/DyLoRA": "dylora", "LyCORIS/GLoRA": "glora", "LyCORIS/iA3": "ia3",
    "LyCORIS/BOFT": "boft", "LyCORIS/Diag-OFT": "diag-oft", "LyCORIS/Native Fine-Tuning": "full",
}  # fmt: skip
_MODULES = {
    "Kohya DyLoRA": "networks.dylora", "Kohya LoRA-FA": "networks.lora_fa", "LoRA-FA": "networks.lora_fa",
    "Kohya LoHa": "networks.loha", "Kohya LoKr": "networks.lokr", "Flux1 OFT": "networks.oft_flux",
}  # fmt: skip
_NETWORK_PARTS = (
    "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "factor", "use_cp", "use_tucker",
    "use_scalar", "train_norm", "unit", "constrain", "rescaled", "decompose_both", "bypass_mode",
    "dora_wd", "full_matrix", "block_size",
)  # fmt: skip
_ONLY_GUI = frozenset(
    {
        "save_as_bool", "dynamo_backend", "dynamo_mode", "dynamo_use_dynamic", "dynamo_use_fullgraph",
        "num_processes", "num_machines", "multi_gpu", "gpu_ids", "main_process_port",
        "num_cpu_threads_per_process", "extra_accelerate_launch_args", "create_buckets", "full_path",
        "epoch", "noise_offset_type", "training_comment_gui", "mem_eff_save", "caption_metadata_filename",
        "latent_metadata_filename", "dataset_repeats", "model_list", "LoRA_type", "LyCORIS_preset",
        "create_caption", "folder_name", "stop_text_encoder_training", "stop_text_encoder_training_pct",
        "lr_warmup", "enable_bucket_gui", "use_wandb", "additional_parameters", "xformers",
        "use_8bit_adam", "sdxl_checkbox", "max_train_steps_info",
    }
)  # fmt: skip


def is_gui(data: Any) -> bool:
    """Whether a JSON document is what the GUI saves for a LoRA."""
    return isinstance(data, dict) and ("LoRA_type" in data or "network_dim" in data)


def to_native(data: dict[str, Any], say: Say) -> tuple[dict[str, Any], str]:
    """Flat sd-scripts keys and the family. ``say`` takes a line for each word that is lost."""
    family = next((name for key, name in _FAMILIES if _true(data.get(key))), "sd15")
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if key in dict(_FAMILIES) or key in _NETWORK_PARTS:
            continue
        if key in _ONLY_GUI:
            if key not in _READ_BELOW and value not in ("", 0, False, None):
                say(f"dropped {key}: a word of the GUI or of its launcher")
            continue
        if value in ("", False, None) or value == 0:
            continue  # the GUI drops these as well
        name = _RENAMED.get(key, key)
        if name:
            flat[name] = value
    _network(data, flat, say)
    _numbers(data, flat, say)
    _additional(data, flat, say)
    return flat, family


_READ_BELOW = frozenset(
    {"LoRA_type", "LyCORIS_preset", "epoch", "lr_warmup", "use_wandb", "additional_parameters",
     "xformers", "use_8bit_adam", "noise_offset_type"}
)  # fmt: skip


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _network(data: dict[str, Any], flat: dict[str, Any], say: Say) -> None:
    kind = str(data.get("LoRA_type") or "Standard")
    arguments: list[str] = []
    if kind in _LYCORIS:
        flat["network_module"] = "lycoris.kohya"
        arguments += [f"algo={_LYCORIS[kind]}", f"preset={data.get('LyCORIS_preset') or 'full'}"]
    elif kind in _MODULES:
        flat["network_module"] = _MODULES[kind]
    parts = (
        _NETWORK_PARTS if kind not in ("Standard", "Flux1") else ("rank_dropout", "module_dropout")
    )
    for part in _NETWORK_PARTS:
        value = data.get(part)
        if value in ("", 0, "0", False, None):
            continue
        if part in parts:
            arguments.append(f"{part}={value}")
        else:
            say(f"dropped {part}: {kind} has no such argument")
    if arguments:
        flat["network_args"] = arguments
    if kind != "Standard":
        say("translated LoRA_type -> network.type")


def _numbers(data: dict[str, Any], flat: dict[str, Any], say: Say) -> None:
    if not flat.get("max_train_steps") and data.get("epoch"):
        flat["max_train_epochs"] = data["epoch"]
        say("translated epoch -> length.epochs")
    elif data.get("epoch"):
        say("dropped epoch: max_train_steps wins over it")
    if data.get("lr_warmup") and not flat.get("lr_warmup_steps"):
        flat["lr_warmup_steps"] = float(data["lr_warmup"]) / 100
    if _true(data.get("use_8bit_adam")):
        flat["optimizer_type"] = "AdamW8bit"
    attention = data.get("xformers")
    if attention in (True, "True", "true", "xformers"):
        flat["xformers"] = True
    elif attention == "sdpa":
        flat["sdpa"] = True
    if _true(data.get("use_wandb")):
        flat["log_with"] = "wandb"
    if data.get("text_encoder_lr") in (0, "0", "", None) and data.get("unet_lr"):
        flat["network_train_unet_only"] = True


def _additional(data: dict[str, Any], flat: dict[str, Any], say: Say) -> None:
    """A shell-quoted tail of flags, which wins over everything before it."""
    text = str(data.get("additional_parameters") or "")
    if not text:
        return
    words = shlex.split(text)
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("--"):
            say(f"dropped additional_parameters {word}: no flag before it")
            continue
        key, equals, value = word[2:].partition("=")
        values = [value] if equals else []
        while index < len(words) and not words[index].startswith("--"):
            values.append(words[index])
            index += 1
        many = key in ("optimizer_args", "network_args", "lr_scheduler_args")
        flat[key] = values if many else (values[0] if values else True)
    say("translated additional_parameters -> the fields of its flags")
