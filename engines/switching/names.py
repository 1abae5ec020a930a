"""What one engine calls by another name than the other: optimizers, schedules, timesteps.

Sources: ``toolkit/config_modules.py`` and ``SDTrainer.py`` of ai-toolkit 27a03a91, the argument
parsers and ``library/train_util.py`` of sd-scripts 48d368fa.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engines.adapter import ENGINES
from engines.ai_toolkit.optimizer import native_name
from engines.kohya_ss import optimizer as kohya
from engines.registry import EngineName

AI_TOOLKIT: EngineName = "ai-toolkit"
KOHYA: EngineName = "kohya_ss"

_NEAREST: Mapping[EngineName, Mapping[str, str]] = {
    AI_TOOLKIT: {
        "pagedadamw": "adamw", "pagedadamw8bit": "adamw8bit", "pagedadamw32bit": "adamw",
        "lion": "lion8bit", "pagedlion8bit": "lion8bit",
    },
    KOHYA: {
        "prodigy8bit": "prodigy", "prodigyopt": "prodigy", "adam": "adamw", "adam8": "adamw8bit",
        "adamw8": "adamw8bit", "adam8bit": "adamw8bit", "ademamix8bit": "adamw8bit",
    },
}  # fmt: skip
_SCHEDULES = {
    # sd-scripts' polynomial has power 1 unless told otherwise: a straight line.
    "polynomial": "linear", "cosine_with_min_lr": "cosine", "cosine_with_restarts": "cosine",
}  # fmt: skip
_TIMESTEPS: Mapping[EngineName, Mapping[str, str]] = {
    AI_TOOLKIT: {"nextdit_shift": "lumina2_shift", "uniform": "linear"},
    KOHYA: {"lumina2_shift": "nextdit_shift", "linear": "uniform"},
}


def optimizer(name: str, target: EngineName) -> str:
    """The target's nearest optimizer; the same name where it has it."""
    own = _HAS.get(target, ENGINES[target].words("optimizer.name").__contains__)
    if own(name):
        return name
    # A class may be named in full: bitsandbytes.optim.AdEMAMix8bit.
    last = name.rpartition(".")[2].lower()
    if own(last):
        return last
    if last in _NEAREST.get(target, {}):
        return _NEAREST[target][last]
    if last.startswith(("dadapt", "prodigy")):
        return "prodigy"
    return "adamw8bit" if "8" in last or "paged" in last else "adamw"


def _ai_toolkit_has(name: str) -> bool:
    return native_name(name) is not None


_HAS: Mapping[EngineName, Callable[[str], bool]] = {
    AI_TOOLKIT: _ai_toolkit_has,
    KOHYA: kohya.is_known,
}
"""Whether it has an optimizer, where its list of words is not all."""


def kind(name: str) -> str:
    """The rule an optimizer follows, whatever the precision of its state: adamw8bit is adam."""
    last = name.rpartition(".")[2].lower().removeprefix("paged")
    for mark in ("schedulefree", "prodigy", "dadapt", "ademamix", "adafactor", "lion", "adam"):
        if mark in last:
            return mark
    return last


def schedule(name: str, target: EngineName) -> str:
    """The target's schedule of the same shape; the same name where there is no other."""
    return _SCHEDULES.get(name, name) if target == AI_TOOLKIT else name


def timesteps(name: str, target: EngineName) -> str:
    """The target's name of a timestep sampling."""
    return _TIMESTEPS.get(target, {}).get(name, name)
