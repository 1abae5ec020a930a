"""Reads a saved config of the kohya_ss GUI (.json) or of sd-scripts (.toml) into our document."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from engines.importing import Imported, NotAConfigError
from engines.kohya_ss.reading import gui
from engines.kohya_ss.reading.data import read_data
from engines.kohya_ss.reading.frame import read_frame, read_intervals, read_length
from engines.kohya_ss.reading.ledger import Ledger
from engines.kohya_ss.reading.rest import read_rest
from engines.kohya_ss.reading.samples import read_samples
from engines.kohya_ss.reading.training import (
    read_loss,
    read_memory,
    read_network,
    read_optimizer,
)

_MODULES = (
    ("flux", "flux"), ("sd3", "sd3"), ("lumina", "lumina2"), ("anima", "anima"),
    ("hunyuan", "hunyuan_image"),
)  # fmt: skip


def import_config(
    text: str, filename: str, companions: Mapping[str, str] | None = None
) -> Imported:
    """The canonical document and a line for each value that is not in it as it was.

    ``companions`` are further files by base name: the dataset config and the prompts that the
    config names. Raises NotAConfigError for what is no LoRA training of sd-scripts.
    """
    beside = dict(companions or {})
    try:
        ledger = _open(text, filename)
        dataset = _dataset_config(ledger, beside)
        read_frame(ledger, filename)
        read_length(ledger)
        read_intervals(ledger)
        read_network(ledger)
        read_optimizer(ledger)
        read_memory(ledger)
        read_loss(ledger)
        read_data(ledger, dataset)
        read_samples(ledger, beside)
        read_rest(ledger)
    except ValueError as error:
        if isinstance(error, NotAConfigError):
            raise
        raise NotAConfigError(f"A value makes no sense: {error}.") from error
    return Imported(ledger.document, ledger.lines)


def _open(text: str, filename: str) -> Ledger:
    if filename.lower().endswith(".json") or text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except ValueError as error:
            raise NotAConfigError(f"It is no valid JSON: {error}.") from error
        if not gui.is_gui(data):
            raise NotAConfigError("It is no LoRA configuration of the kohya_ss GUI.")
        return gui.open_gui(data)
    document = _toml(text)
    flat: dict[str, Any] = {}
    for key, value in document.items():
        # sd-scripts flattens tables by one level, and what comes later wins.
        flat.update(value if isinstance(value, dict) else {key: value})
    if "network_module" not in flat and "network_dim" not in flat:
        raise NotAConfigError(
            "It is a dataset config; import it together with the training's own config."
            if "datasets" in document
            else "It has no network_module, so it trains no LoRA."
        )
    return Ledger(flat, _family(flat))


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotAConfigError(f"It is no valid TOML: {error}.") from error


def _dataset_config(ledger: Ledger, companions: Mapping[str, str]) -> dict[str, Any] | None:
    name = re.split(r"[/\\]", str(ledger.native.get("dataset_config") or ""))[-1]
    text = companions.get(name)
    if text is None:
        blocks = [t for n, t in companions.items() if n.endswith(".toml") and "[[datasets" in t]
        text = blocks[0] if len(blocks) == 1 else None
    return _toml(text) if text is not None else None


def _family(flat: dict[str, Any]) -> str:
    """sd-scripts names the family by its script, so it has to be guessed from the keys."""
    module = str(flat.get("network_module", ""))
    for mark, family in _MODULES:
        if mark in module:
            return "chroma" if flat.get("model_type") == "chroma" else family
    for key, family in (("ae", "flux"), ("gemma2", "lumina2"), ("qwen3", "anima"),
                        ("byt5", "hunyuan_image"), ("clip_g", "sd3"), ("v2", "sd2")):  # fmt: skip
        if flat.get(key):
            return family
    if any(key in flat for key in ("cache_text_encoder_outputs", "no_half_vae")):
        return "sdxl"
    text = f"{flat.get('pretrained_model_name_or_path', '')} {flat.get('resolution', '')}".lower()
    return "sdxl" if "xl" in text or "1024" in text else "sd15"
