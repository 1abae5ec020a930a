"""The adapter that is trained: network module and its arguments.

LoRA and LoCon come from sd-scripts itself; LoHa, LoKr and DoRA from the lycoris-lora package.
"""

from __future__ import annotations

from typing import Any

from engines.catalogue.kohya import KohyaFamily
from engines.spec import Network

LYCORIS = "lycoris.kohya"
FULL_RANK = 100_000
_ALGORITHMS = {"loha": "loha", "lokr": "lokr", "dora": "lora"}


def config(network: Network, family: KohyaFamily) -> dict[str, Any]:
    """The keys of the job TOML that describe the adapter."""
    values: dict[str, Any] = {
        "network_module": LYCORIS if network.type in _ALGORITHMS else family.network_module,
        "network_dim": network.rank,
        "network_alpha": network.alpha,
    }
    if network.dropout:
        values["network_dropout"] = network.dropout
    arguments = _arguments(network)
    if arguments:
        values["network_args"] = arguments
    return values


def _arguments(network: Network) -> list[str]:
    found: list[str] = []
    if network.type in _ALGORITHMS:
        found.append(f"algo={_ALGORITHMS[network.type]}")
        found.append("preset=full" if network.conv_rank else "preset=attn-mlp")
        if network.type == "dora":
            found.append("dora_wd=True")
    if network.conv_rank:
        found.append(f"conv_dim={network.conv_rank}")
        found.append(f"conv_alpha={network.conv_alpha or network.conv_rank}")
    return found
