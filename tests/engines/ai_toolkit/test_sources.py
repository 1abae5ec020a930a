"""Each native value says which field, or which engine option, it came from."""

from __future__ import annotations

import re

import pytest

from engines.ai_toolkit.draft import generic, leaves, place
from engines.fields import table
from tests.engines.ai_toolkit.builders import ENGINE, plan, spec
from tests.engines.ai_toolkit.test_config import FULL
from tests.support import yaml_reading

PLATFORM = {
    "type", "training_folder", "sqlite_db_path", "performance_log_every", "logging.use_ui_logger",
    "logging.log_every", "save.save_format", "train.train_unet", "sample.walk_seed", "sample.neg",
    "network.lokr_factor", "datasets[].num_workers", "meta.version", "meta.vast_lora_run",
    "meta.vast_lora_engine", "meta.ss_resolution", "meta.ss_dataset_dirs",
}  # fmt: skip
"""What nobody asks for; all else in the file comes from a field or from the engine options."""


@pytest.mark.parametrize("family", FULL)
def test_every_native_value_tells_where_it_came_from_or_is_the_platforms_own(family):
    made = plan(spec(family=family, **FULL[family]))
    document = yaml_reading.load(made.files["config.yaml"])
    written = {path for path, _ in leaves(document["config"]["process"][0])}
    written |= {f"meta.{key}" for key in document["meta"]}
    told = {native.removeprefix("config.yaml:") for native in made.sources}
    assert told - written == {"config.name"}
    assert {generic(path) for path in written - told} <= PLATFORM


@pytest.mark.parametrize("family", FULL)
def test_every_source_is_a_field_of_the_table_or_stands_in_the_engine_options(family):
    given = spec(family=family, **FULL[family])
    for native, field in plan(given).sources.items():
        if field.startswith("engine_options."):
            value = given.model_dump()
            for part in field.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            continue
        known = re.sub(r"^datasets\.\d+", "datasets[]", field)
        assert known.removesuffix(".vae") in table(), native


def test_a_source_names_the_dataset_and_the_option_by_their_place():
    own = {"datasets": [{}, {"mask_path": "/m"}], "train": {"weight_jitter": 0.5}}
    both = [{"path": "/data/a"}, {"path": "/data/b", "repeats": 3}]
    arguments = {"betas": [0.9, 0.99], "amsgrad": True}
    made = plan(
        spec(datasets=both, optimizer={"arguments": arguments}, engine_options={"ai-toolkit": own})
    )
    expected = {
        "datasets[1].num_repeats": "datasets.1.repeats",
        "datasets[1].mask_path": "engine_options.ai-toolkit.datasets.1.mask_path",
        "train.weight_jitter": "engine_options.ai-toolkit.train.weight_jitter",
        "train.optimizer_params.amsgrad": "optimizer.arguments",
        "train.optimizer_params.weight_decay": "optimizer.weight_decay",
        "train.steps": "length.steps",
        "meta.ss_network_dim": "network.rank",
    }
    assert {path: made.sources[f"config.yaml:{path}"] for path in expected} == expected
    assert "config.yaml:train.optimizer_params" not in made.sources


def test_what_the_family_brings_is_told_as_the_familys_until_an_option_changes_it():
    path = "config.yaml:model.model_kwargs.train_low_noise"
    assert plan(spec(family="wan22_14b:t2v")).sources[path] == "family"
    own = {"model": {"model_kwargs": {"train_low_noise": False}}}
    changed = plan(spec(family="wan22_14b:t2v", engine_options={"ai-toolkit": own})).sources[path]
    assert changed == "engine_options.ai-toolkit.model.model_kwargs.train_low_noise"


OPEN = {
    "model.quantize_te",
    "model.layer_offloading_text_encoder_percent",
    "model.low_vram",
    "sample.samples",
}
"""Written from a field together with another key, but free to be set apart."""


@pytest.mark.parametrize("family", FULL)
def test_every_written_field_is_closed_to_the_engine_options(family):
    given = spec(family=family, **FULL[family])
    for native, field in plan(given).sources.items():
        path = native.removeprefix("config.yaml:")
        free = field == "family" or field.startswith("engine_options.") or generic(path) in OPEN
        if free or path.startswith(("config.", "meta.")) or "lr_scheduler_params" in path:
            continue
        options: dict = {}
        place(options, path, 1)
        asked = given.model_copy(update={"engine_options": {"ai-toolkit": options}})
        assert any("a field of its own" in told.message for told in ENGINE.refusals(asked)), path
