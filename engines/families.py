"""The catalogue of model families: who trains them, from what, and with which defaults.

Keys are ai-toolkit's own names where it has one (``engines/catalogue/ai_toolkit_models.json``,
taken from its form), plus ``sd2``, ``sd3`` and ``hunyuan_image``, which kohya_ss trains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.adapter import ENGINES
from engines.catalogue.inputs import FamilyInput, inputs_of
from engines.catalogue.kohya import KOHYA_FAMILIES, KohyaFamily
from engines.registry import EngineName

_MODELS = Path(__file__).parent / "catalogue" / "ai_toolkit_models.json"

_KIN = {"sdxl": "SDXL, Pony, Illustrious"}
"""Names under which people look for a family, beside its own."""
FIRST = ("sdxl", "sd15", "flux", "zimage:turbo", "qwen_image", "flux2_klein_4b", "chroma")
"""The families most people look for; they stand first in the form."""


@dataclass(frozen=True)
class AiToolkitFamily:
    """One entry of ai-toolkit's own model list.

    ``defaults`` maps a path under ``config.process[0]`` (``datasets[]`` = each dataset) to the
    value its own form sets; ``disabled`` and ``extra`` are paths its form hides or adds.
    ``recovery`` maps a quantisation to the adapter that makes up for its loss of accuracy.
    """

    arch: str
    defaults: Mapping[str, Any]
    disabled: frozenset[str]
    extra: frozenset[str]
    recovery: Mapping[str, str] = field(default_factory=dict)

    @property
    def flow(self) -> bool:
        """Whether it trains by flow matching, as its form does by default (else DDPM)."""
        return bool(self.defaults.get("train.noise_scheduler", "flowmatch") == "flowmatch")

    @property
    def scales_by_alpha(self) -> bool:
        """Whether alpha does anything: only in U-Nets, a transformer's alpha is always the rank.

        Source: toolkit/lora_special.py ("no alpha for peft") and each model's ``is_transformer``.
        """
        return self.arch in ("sd15", "sdxl")

    @property
    def draws_with_cached_captions(self) -> bool:
        """Whether samples can be drawn once captions are cached: its older pipelines crash then.

        Measured for SD 1.5 and SDXL, read in the source for Lumina 2.
        """
        return self.arch not in ("sd15", "sdxl", "lumina2")


@dataclass(frozen=True)
class Family:
    """One model family: its label, who can train it, and canonical defaults.

    ``defaults`` maps dotted canonical paths (``sampling.width``) to values; a dataset's fields
    stand under ``datasets[]``. ``default_model`` is a hub id or path offered in the form.
    ``inputs`` are ai-toolkit's own for this family: control pictures, frames and the like.
    """

    key: str
    label: str
    group: str
    default_model: str
    gated: bool = False
    video: bool = False
    ai_toolkit: AiToolkitFamily | None = None
    kohya: KohyaFamily | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[FamilyInput, ...] = ()

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Who trains it, the better tested first."""
        return _trained_by(self.key)


@cache
def _trained_by(key: str) -> tuple[EngineName, ...]:
    able = [name for name in ENGINES if key in ENGINES[name].families()]
    if key in ("sd15", "sdxl", "sd2", "sd3"):
        able.sort(key=lambda name: name != "kohya_ss")
    return tuple(able)


def _canonical_defaults(key: str, native: Mapping[str, Any]) -> dict[str, Any]:
    """Family defaults in our words, from what ai-toolkit's form sets for the model."""
    edge = KOHYA_FAMILIES[key].edge if key in KOHYA_FAMILIES else 1024
    values: dict[str, Any] = {
        "datasets[].resolution": [edge],
        "sampling.width": native.get("sample.width", edge),
        "sampling.height": native.get("sample.height", edge),
        "sampling.guidance": native.get("sample.guidance_scale", 7.0 if edge < 1024 else 4.0),
        "sampling.steps": native.get("sample.sample_steps", 20),
    }
    if "network.linear" in native:
        values["network.rank"] = native["network.linear"]
        values["network.alpha"] = native.get("network.linear_alpha", native["network.linear"])
    if native.get("model.quantize"):
        values["memory.quantize"] = native.get("model.qtype", "qfloat8")
    if native.get("train.cache_text_embeddings"):
        values["memory.cache_text"] = "disk"
    if "train.lr" in native:
        values["optimizer.learning_rate"] = native["train.lr"]
    return values


def _ai_toolkit_families() -> dict[str, Family]:
    found: dict[str, Family] = {}
    for entry in json.loads(_MODELS.read_text("utf-8"))["archs"]:
        key, native = entry["name"], entry["defaults"]
        found[key] = Family(
            key=key,
            label=_KIN.get(key, entry["label"]),
            group=entry["group"],
            default_model=str(native.get("model.name_or_path", "")),
            gated=bool(entry["gated"]),
            video=bool(entry["video"]),
            ai_toolkit=AiToolkitFamily(
                arch=entry["arch"],
                defaults=MappingProxyType(native),
                disabled=frozenset(entry["disabled_fields"]),
                extra=frozenset(entry["extra_fields"]),
                recovery=MappingProxyType(entry.get("accuracy_recovery_adapters", {})),
            ),
            kohya=KOHYA_FAMILIES.get(key),
            defaults=MappingProxyType(_canonical_defaults(key, native)),
            inputs=inputs_of(
                entry["arch"],
                entry["extra_fields"],
                native,
                edits=entry["group"] == "instruction",
            ),
        )
    return found


@cache
def families() -> Mapping[str, Family]:
    """Every family by key, in the order the form shows them."""
    found = _ai_toolkit_families()
    for key, kohya in KOHYA_FAMILIES.items():
        if key not in found:
            found[key] = Family(
                key=key,
                label=kohya.label or key,
                group="image",
                default_model=kohya.default_model,
                gated=kohya.gated,
                kohya=kohya,
                defaults=MappingProxyType(_canonical_defaults(key, {})),
            )
    order = [key for key in FIRST if key in found] + [k for k in found if k not in FIRST]
    return MappingProxyType({key: found[key] for key in order})


def get(key: str) -> Family | None:
    """The family of that key, or None."""
    return families().get(key)
