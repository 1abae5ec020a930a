"""The GUI's words for the network: a kind and its parts, as sd-scripts' module and arguments."""

from __future__ import annotations

from typing import Any

from engines.kohya_ss.reading.ledger import Ledger, is_on, number

_LYCORIS = {
    "LyCORIS/LoHa": "loha", "LyCORIS/LoKr": "lokr", "LyCORIS/LoCon": "locon", "LoCon": "locon",
    "LyCORIS/DyLoRA": "dylora", "LyCORIS/GLoRA": "glora", "LyCORIS/iA3": "ia3",
    "LyCORIS/BOFT": "boft", "LyCORIS/Diag-OFT": "diag-oft", "LyCORIS/Native Fine-Tuning": "full",
}  # fmt: skip
_MODULES = {
    "Kohya DyLoRA": "networks.dylora", "Kohya LoRA-FA": "networks.lora_fa",
    "LoRA-FA": "networks.lora_fa", "Kohya LoHa": "networks.loha", "Kohya LoKr": "networks.lokr",
    "Flux1 OFT": "networks.oft_flux", "Flux1": "networks.lora_flux", "Anima": "networks.lora_anima",
    "HunyuanImage-2.1": "networks.lora_hunyuan_image", "Lumina": "networks.lora_lumina",
}  # fmt: skip
_CONV = ("conv_dim", "conv_alpha")
_DROPOUT = ("rank_dropout", "module_dropout")
_BLOCKS = (
    "down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold", "block_dims",
    "block_alphas", "conv_block_dims", "conv_block_alphas",
)  # fmt: skip
_FLUX = (
    "img_attn_dim", "img_mlp_dim", "img_mod_dim", "single_dim", "txt_attn_dim", "txt_mlp_dim",
    "txt_mod_dim", "single_mod_dim", "in_dims", "train_double_block_indices",
    "train_single_block_indices", "split_qkv", "train_t5xxl",
)  # fmt: skip
_PLUS = ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")
_TUCKER = (*_CONV, "use_tucker", *_DROPOUT)
_TAKES: dict[str, tuple[str, ...]] = {
    "boft": (*_TUCKER, "rank_dropout_scale", "train_norm"),
    "diag-oft": (*_TUCKER, "rank_dropout_scale", "constrain", "rescaled", "train_norm"),
    "dylora": (*_TUCKER, "unit", "train_norm"),
    "glora": (*_TUCKER, "rank_dropout_scale", "train_norm"),
    "ia3": (*_CONV, "train_on_input"),
    "locon": (*_TUCKER, "bypass_mode", "dora_wd", "use_scalar", "rank_dropout_scale", "train_norm"),
    "loha": (*_TUCKER, "bypass_mode", "dora_wd", "use_scalar", "rank_dropout_scale", "train_norm"),
    "lokr": (*_TUCKER, "bypass_mode", "dora_wd", "factor", "use_cp", "use_scalar", "decompose_both",
             "rank_dropout_scale", "train_norm"),
    "full": (*_DROPOUT, "rank_dropout_scale", "train_norm"),
    "networks.lora": (*_BLOCKS, *_DROPOUT), "networks.lora_sd3": (*_BLOCKS, *_DROPOUT),
    "networks.lora_fa": (*_BLOCKS, *_DROPOUT),
    "networks.dylora": (*_CONV, *_BLOCKS, *_DROPOUT, "unit"),
    "networks.loha": _TUCKER, "networks.lokr": (*_TUCKER, "factor"),
    "networks.lora_flux": (*_FLUX, *_DROPOUT), "networks.oft_flux": ("enable_all_linear",),
}  # fmt: skip
"""Which parts the GUI hands on for which algorithm or module; the others only the dropouts."""

_NAMES = {"unit": {"dylora": "block_size"}, "constrain": {"diag-oft": "constraint"}}
_DEFAULTS = {"factor": -1.0}
PARTS = frozenset(
    {*_CONV, *_DROPOUT, *_BLOCKS, *_FLUX, *_PLUS, "rank_dropout_scale", "use_tucker", "use_cp",
     "use_scalar", "train_norm", "unit", "constrain", "rescaled", "decompose_both", "bypass_mode",
     "dora_wd", "factor", "train_on_input", "enable_all_linear", "LyCORIS_preset", "train_blocks",
     "train_lora_ggpo", "ggpo_beta", "ggpo_sigma", "LoRA_type"}
)  # fmt: skip


def read(ledger: Ledger, data: dict[str, Any]) -> None:
    """Set network_module and network_args, and account for every part."""
    kind = str(data.get("LoRA_type") or "Standard")
    algorithm = _LYCORIS.get(kind)
    module = _module(kind, ledger.family)
    takes = (*_TAKES.get(algorithm or module, _DROPOUT), *_PLUS)
    if kind == "Kohya LoCon":
        takes = (*_CONV, *takes)
    ledger.native["network_module"] = module
    ledger.origin["network_module"] = ()
    arguments: dict[str, Any] = {}
    if algorithm:
        arguments = {"algo": algorithm, "preset": data.get("LyCORIS_preset") or "full"}
    used: list[str] = []
    for part in takes:
        if part in data and _counts(part, data[part], lycoris=bool(algorithm)):
            arguments[_NAMES.get(part, {}).get(algorithm or "", part)] = _written(data[part])
            used.append(part)
    _flux(ledger, data, arguments, used)
    if arguments:
        ledger.native["network_args"] = [f"{key}={value}" for key, value in arguments.items()]
    for part in used:
        ledger.translated(part, "engine_options.kohya_ss.config.network_args")
    _tell_rest(ledger, data, kind, used)


def _module(kind: str, family: str) -> str:
    if kind in _LYCORIS:
        return "lycoris.kohya"
    return _MODULES.get(kind) or ("networks.lora_sd3" if family == "sd3" else "networks.lora")


def _counts(part: str, value: Any, *, lycoris: bool) -> bool:
    """LyCORIS is told every part, off or not; what is at its default changes nothing there."""
    if value in ("", None, False, "None") or number(value) == 0:
        return False
    return number(value) != _DEFAULTS.get(part, float("nan")) or lycoris


def _written(value: Any) -> Any:
    found = number(value)
    if isinstance(value, str) or found is None:
        return str(value).replace('"', "")
    return int(found) if found.is_integer() else found


def _flux(ledger: Ledger, data: dict[str, Any], arguments: dict[str, Any], used: list[str]) -> None:
    if data.get("LoRA_type") != "Flux1":
        return
    if is_on(data.get("split_mode")):
        arguments["train_blocks"] = "single"
        used.append("train_blocks")
    if is_on(data.get("train_lora_ggpo")):
        for part in ("ggpo_beta", "ggpo_sigma"):
            if number(data.get(part)):
                arguments[part] = data[part]
                used.append(part)
        ledger.translated("train_lora_ggpo", "engine_options.kohya_ss.config.network_args")


def _tell_rest(ledger: Ledger, data: dict[str, Any], kind: str, used: list[str]) -> None:
    for part in sorted(PARTS & set(data)):
        if part in used or part == "train_lora_ggpo":
            continue
        value = data[part]
        if part == "LoRA_type":
            ledger.translated(part, "network.type")
        elif part == "LyCORIS_preset" and kind in _LYCORIS:
            ledger.translated(part, "engine_options.kohya_ss.config.network_args")
        elif not (value in ("", None, False, "None") or number(value) == 0):
            ledger.dropped(part, f"the GUI does not hand it on for {kind}")
