"""Run by the engine's interpreter in its folder: constructs jobs and prints what it understood.

    PYTHON constructs.py OUT.json CONFIG.yaml...

Loads no model. OUT.json maps each config to the parsed values, or to an error's text.
"""

from __future__ import annotations

import json
import sys

sys.path.insert(0, ".")

from toolkit.config import get_config
from toolkit.config_modules import validate_configs
from toolkit.job import get_job
from toolkit.util.get_model import get_model_class


def understood(path: str) -> dict[str, object]:
    """The values that the engine's own classes hold after reading the config."""
    job = get_job(get_config(path))
    process = job.process[0]
    train, model, network = process.train_config, process.model_config, process.network_config
    validate_configs(train, model, process.save_config, process.dataset_configs)
    return {
        "rank": network.linear,
        "alpha": network.linear_alpha,
        "rate": train.lr,
        "steps": train.steps,
        "batch": train.batch_size,
        "scheduler": train.noise_scheduler,
        "cached": train.cache_text_embeddings,
        "ema": train.ema_config.use_ema,
        "quantised": model.quantize,
        "offloaded": model.layer_offloading,
        "datasets": len(process.dataset_configs),
        "sampling_steps": process.sample_config.sample_steps,
        "prompts": process.sample_config.prompts,
        "model": get_model_class(model).__name__,
    }


found: dict[str, object] = {}
for name in sys.argv[2:]:
    try:
        found[name] = understood(name)
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(found, out)
