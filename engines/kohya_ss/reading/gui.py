"""Saved settings of the kohya_ss GUI (flat JSON) as the keys that the GUI hands to sd-scripts.

Which word becomes which key, and for which model, is read from bmaltais/kohya_ss 45088f04
(``kohya_gui/lora_gui.py``). The GUI leaves out every value that is empty, off or zero.
"""

from __future__ import annotations

from typing import Any

from engines.kohya_ss.options import shipped
from engines.kohya_ss.reading import gui_network
from engines.kohya_ss.reading.gui_words import (
    FLAGS,
    NOT_FOR,
    ONLY_FOR,
    ONLY_GUI,
    PREFIXES,
    RENAMED,
    SECRETS,
    UNSET_WORDS,
)
from engines.kohya_ss.reading.ledger import Ledger, is_on, is_text_of_bool, number
from engines.kohya_ss.reading.tail import read_tail

_KEPT_AT_ZERO = "max_data_loader_n_workers"
"""The one number that the GUI hands on at zero."""


def is_gui(data: Any) -> bool:
    """Whether a JSON document is what the GUI saves for a LoRA."""
    return (
        isinstance(data, dict)
        and "token_string" not in data
        and ("LoRA_type" in data or "network_dim" in data)
    )


def open_gui(data: dict[str, Any]) -> Ledger:
    """The settings as native keys, with the GUI's own words remembered as their origin."""
    flag = next((key for key, _ in FLAGS if is_on(data.get(key))), None)
    family = dict(FLAGS)[flag] if flag else "sd15"
    if family == "flux" and str(data.get("model_type")).lower() == "chroma":
        family = "chroma"
    ledger = Ledger({}, family, source=data)
    if flag:
        ledger.translated(flag, "family")
    for key, value in data.items():
        if key not in dict(FLAGS) and key not in gui_network.PARTS:
            _read(ledger, key, value)
    gui_network.read(ledger, data)
    _rates(ledger, data)
    _length(ledger, data)
    _attention(ledger, data)
    _noise(ledger, data)
    read_tail(ledger, data)
    return ledger


def _read(ledger: Ledger, key: str, value: Any) -> None:
    """One word of the GUI: to its native key, onto a line, or nowhere because it is not set."""
    if key in SECRETS:
        if not is_unset(value):
            ledger.dropped(key, "secrets are never stored; set it in the environment")
        return
    if key in ONLY_GUI:
        if not is_unset(value) and ONLY_GUI[key]:
            ledger.dropped(key, ONLY_GUI[key])
        return
    name, family = _native(key)
    if key == _KEPT_AT_ZERO and number(value) is not None:
        ledger.native[name] = number(value)
        return
    if is_unset(value):
        _zero(ledger, key, name, value)
        return
    if family is not None and ledger.family not in family:
        ledger.dropped(key, f"it has an effect only for {' and '.join(sorted(family))}")
    elif ledger.family in NOT_FOR.get(name, ()):
        ledger.dropped(key, f"it has no effect for {ledger.family}")
    else:
        ledger.native[name] = value
        ledger.origin[name] = (*ledger.origin.get(name, ()), key)


def _native(key: str) -> tuple[str, frozenset[str] | None]:
    """The key of sd-scripts, and the families that the word counts for (None: all)."""
    for prefix, family in PREFIXES:
        if key.startswith(prefix):
            return RENAMED.get(key, key.removeprefix(prefix)), family
    return RENAMED.get(key, key), ONLY_FOR.get(key)


def is_unset(value: Any) -> bool:
    """Whether the GUI leaves a value out: empty, off, zero, or the word it once saved for those."""
    return (
        value in ("", None, [])
        or is_text_of_bool(value) is False
        or number(value) == 0
        or (isinstance(value, str) and value in UNSET_WORDS)
    )


def _zero(ledger: Ledger, key: str, name: str, value: Any) -> None:
    """Zero is left out by the GUI as well, so the engine's own default counts, not zero."""
    for table in shipped().data.values():
        default = table.get(name, {}).get("default")
        if number(value) == 0 and number(default):
            ledger.dropped(key, f"the GUI leaves out 0, so sd-scripts' own {default:g} counts")
            return


def _rates(ledger: Ledger, data: dict[str, Any]) -> None:
    """Two rates decide what is trained; one rate for CLIP becomes a list of it."""
    text, unet = number(data.get("text_encoder_lr")) or 0.0, number(data.get("unet_lr")) or 0.0
    t5xxl = number(data.get("t5xxl_lr")) or 0.0
    ledger.take("t5xxl_lr")
    if text:
        ledger.native["text_encoder_lr"] = [text, t5xxl] if t5xxl else [text]
        if t5xxl:
            ledger.origin["text_encoder_lr"] = ("text_encoder_lr", "t5xxl_lr")
    elif t5xxl:
        ledger.dropped("t5xxl_lr", "the GUI asks for a text encoder rate beside it")
    if (unet and not text) or ledger.family == "hunyuan_image":
        ledger.native["network_train_unet_only"] = True
    elif text and not unet:
        ledger.native["network_train_text_encoder_only"] = True
    if "learning_rate" not in ledger.native and unet:
        ledger.native["learning_rate"] = unet


def _length(ledger: Ledger, data: dict[str, Any]) -> None:
    """``epoch`` counts only where no steps are given; a warm-up is a percentage."""
    epoch = data.get("epoch")
    counted = ledger.native.get("max_train_steps") or ledger.native.get("max_train_epochs")
    if is_unset(epoch):
        pass
    elif counted:
        ledger.dropped("epoch", "max_train_steps or max_train_epochs wins over it")
    elif not is_unset(data.get("dataset_config")):
        ledger.dropped("epoch", "the GUI does not use it with a dataset config")
    else:
        ledger.native["max_train_epochs"] = epoch
        ledger.origin["max_train_epochs"] = ("epoch",)
    restarts = data.get("lr_scheduler") == "cosine_with_restarts"
    if restarts and data.get("lr_scheduler_num_cycles") in ("", None) and not is_unset(epoch):
        ledger.native["lr_scheduler_num_cycles"] = epoch
    percent = number(data.get("lr_warmup"))
    if not percent:
        return
    if ledger.native.get("lr_warmup_steps"):
        ledger.dropped("lr_warmup", "lr_warmup_steps wins over it")
    else:
        ledger.native["lr_warmup_steps"] = percent / 100
        ledger.origin["lr_warmup_steps"] = ("lr_warmup",)


def _attention(ledger: Ledger, data: dict[str, Any]) -> None:
    """One word for three ways to compute attention; older files hold a switch."""
    word = data.get("xformers")
    if is_on(word) or word == "xformers":
        ledger.native["xformers"] = True
    elif word == "sdpa":
        ledger.native["sdpa"] = True
        ledger.origin["sdpa"] = ("xformers",)
    elif word == "none":
        ledger.dropped("xformers", "plain attention gives what sdpa gives, slower")
    if is_on(data.get("use_8bit_adam")):
        ledger.native["optimizer_type"] = "AdamW8bit"
        ledger.origin["optimizer_type"] = ("use_8bit_adam",)


def _noise(ledger: Ledger, data: dict[str, Any]) -> None:
    """Which noise words count depends on the chosen kind."""
    kind = data.get("noise_offset_type") or "Original"
    original = ("noise_offset", "adaptive_noise_scale", "noise_offset_random_strength")
    multires = ("multires_noise_iterations", "multires_noise_discount")
    for key in multires if kind == "Original" else original:
        if ledger.take(key) is not None:
            ledger.dropped(key, f"noise_offset_type is {kind}, so the GUI leaves it out")
    if "noise_offset_type" in data and kind:
        ledger.dropped("noise_offset_type", "a word of the GUI; what it chose is set")
