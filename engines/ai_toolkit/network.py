"""The adapter: kinds, ranks and the LoRA it starts from."""

from __future__ import annotations

from collections.abc import Iterator

from engines import families
from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.families import AiToolkitFamily
from engines.spec import JobSpec, Network

FULL_RANK = 100_000
"""A LoKr rank from which on the engine's own "full rank" is meant."""

_NATIVE = {"lora": "lora", "lokr": "lokr", "locon": "lora"}
"""Its own "locon" crashes at the pinned commit (measured); its LoRA takes convolutions too."""


def takes_convolutions(family: AiToolkitFamily) -> bool:
    """Whether convolution layers of this model can be trained."""
    return "network.conv" not in family.disabled


def ignores_alpha(spec: JobSpec) -> bool:
    """Whether an alpha other than the rank would change nothing."""
    family = families.get(spec.family)
    engine = family.ai_toolkit if family else None
    if engine is None or spec.network.rank >= FULL_RANK:
        return False
    return not engine.scales_by_alpha and spec.network.alpha != spec.network.rank


def _refuse_alpha(spec: JobSpec) -> Iterator[Refusal]:
    """Only one that somebody chose: the default one is told in a note."""
    family = families.get(spec.family)
    usual = {Network().alpha, family.defaults.get("network.alpha") if family else None}
    if ignores_alpha(spec) and spec.network.alpha not in usual:
        yield Refusal(
            "network.alpha",
            f"ai-toolkit takes the rank for alpha of {spec.family}, whatever is set; "
            "set it to the rank.",
        )


def _refuse_in_lokr(spec: JobSpec) -> Iterator[Refusal]:
    network = spec.network
    if network.type != "lokr":
        return
    if network.dropout:
        yield Refusal(
            "network.dropout",
            "ai-toolkit has no dropout for a LoKr and trains without; set it to 0, or use lora.",
        )
    if network.rank >= FULL_RANK and network.conv_rank is not None:
        yield Refusal(
            "network.conv_rank",
            "A LoKr of full rank trains convolutions at full rank too; leave it empty.",
        )


def refuse(spec: JobSpec, family: AiToolkitFamily) -> Iterator[Refusal]:
    """What of the network the engine cannot do."""
    network = spec.network
    yield from _refuse_alpha(spec)
    yield from _refuse_in_lokr(spec)
    if network.type not in _NATIVE:
        # Measured at the pinned commit: its DoRA raises NotImplementedError on SD 1.5.
        ends = "end at the first convolution" if network.type == "dora" else "train a plain LoRA"
        yield Refusal(
            "network.type",
            f"ai-toolkit has no {network.type} that works; it would {ends}. "
            "Use lora, locon or lokr, or kohya_ss.",
        )
    convolutions = takes_convolutions(family)
    if network.type == "locon" and not convolutions:
        yield Refusal(
            "network.type", f"ai-toolkit trains no convolutions of {spec.family}; use lora."
        )
    elif network.type == "locon" and network.conv_rank is None:
        yield Refusal(
            "network.conv_rank", "A LoCon trains convolutions: give their rank, or use lora."
        )
    if network.conv_rank is not None and not convolutions:
        yield Refusal(
            "network.conv_rank",
            f"ai-toolkit trains no convolutions of {spec.family}; leave it empty.",
        )
    if network.conv_alpha is not None and network.conv_rank is None:
        yield Refusal(
            "network.conv_alpha", "Without a convolution rank it has no effect; set that too."
        )
    if network.rank >= FULL_RANK and network.type != "lokr":
        yield Refusal(
            "network.rank", f"A rank of {FULL_RANK} or more means full rank, which only LoKr has."
        )


def write(draft: Draft, spec: JobSpec, family: AiToolkitFamily) -> None:
    """The network section."""
    network = spec.network
    draft.put("network.type", _NATIVE[network.type], "network.type")
    draft.put("network.linear", network.rank, "network.rank")
    draft.put("network.linear_alpha", network.alpha, "network.alpha")
    if network.type == "lokr":
        full = network.rank >= FULL_RANK
        draft.put("network.lokr_full_rank", full, "network.rank")
        draft.put("network.lokr_factor", -1)
        if full:
            draft.note("LoKr at full rank: rank and alpha have no effect.")
        if full and takes_convolutions(family):
            draft.note("A LoKr at full rank trains the convolutions too.")
    elif ignores_alpha(spec):
        draft.note(
            f"Alpha has no effect in {spec.family}: ai-toolkit takes the rank, {network.rank}."
        )
    if network.conv_rank is not None:
        draft.put("network.conv", network.conv_rank, "network.conv_rank")
        alpha = network.conv_alpha if network.conv_alpha is not None else network.conv_rank
        draft.put("network.conv_alpha", alpha, "network.conv_alpha")
    if network.dropout:
        draft.put("network.dropout", network.dropout, "network.dropout")
