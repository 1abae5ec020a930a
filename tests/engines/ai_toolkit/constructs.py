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
        "class": get_model_class(model).__name__,
        "trigger_word": process.trigger_word,
        "training_seed": process.get_conf("training_seed", None),
        "network": vars(network),
        "train": {**vars(train), "ema_config": vars(train.ema_config)},
        "model": vars(model),
        "save": vars(process.save_config),
        "sample": {
            **vars(process.sample_config),
            "samples": [vars(sample) for sample in process.sample_config.samples],
        },
        "datasets": [vars(dataset) for dataset in process.dataset_configs],
    }


found: dict[str, object] = {}
for name in sys.argv[2:]:
    try:
        found[name] = understood(name)
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(found, out, default=str)
