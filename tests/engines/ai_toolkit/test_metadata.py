"""What the files that ai-toolkit saves tell of how they were made."""

from __future__ import annotations

import pytest

from tests.engines.ai_toolkit.builders import plan, spec
from tests.support import yaml_reading


def test_the_files_metadata_tells_what_the_engine_does_not():
    folders = [{"path": "/d/dog", "repeats": 2}, {"path": "/e/dog", "regularisation": True}]
    made = plan(
        spec(
            datasets=folders, network={"type": "locon", "rank": 8, "alpha": 4, "conv_rank": 2},
            optimizer={"name": "adamw", "arguments": {"betas": [0.9, 0.98]}, "warmup_steps": 3,
                       "scheduler": "constant", "text_encoder_learning_rate": 1e-4},
            loss={"min_snr_gamma": 5, "noise_offset": 0.05}, ema={"enabled": True, "decay": 0.9},
        )
    )  # fmt: skip
    meta = yaml_reading.load(made.files["config.yaml"])["meta"]
    assert all(isinstance(value, str) for value in meta.values())
    assert meta.items() >= {
        "vast_lora_run": "12", "ss_network_type": "locon", "ss_network_dim": "8",
        "ss_network_alpha": "4.0", "ss_network_args": '{"conv_dim": "2", "conv_alpha": "2"}',
        "ss_learning_rate": "0.0001", "ss_text_encoder_lr": "0.0001",
        "ss_optimizer": "adamw(betas=[0.9, 0.98],weight_decay=0.01)",
        "ss_lr_scheduler": "constant_with_warmup", "ss_lr_warmup_steps": "3",
        "ss_min_snr_gamma": "5.0", "ss_noise_offset": "0.05", "ss_ema_decay": "0.9",
        "ss_dataset_dirs": '{"dog": {"n_repeats": 2}, "dog (2)": {"n_repeats": 1, "is_reg": true}}',
    }.items()  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"), [("owner/name", "owner/name"), ("/models/a/b.safetensors", "b.safetensors")]
)
def test_the_files_metadata_holds_no_path_of_this_machine(asked, told):
    meta = yaml_reading.load(plan(spec(base_model=asked)).files["config.yaml"])["meta"]
    assert meta["ss_sd_model_name"] == told
