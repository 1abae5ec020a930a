"""The option list: shipped, read from an installed source, and the check against it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from engines import families
from engines.ai_toolkit.options import read_options, unknown_keys
from tests.engines.ai_toolkit.builders import ENGINE, plan, spec
from tests.support import yaml_reading

SHIPPED = ENGINE.shipped_options()

SOURCE = {
    "toolkit/config_modules.py": """
class TrainConfig:
    def __init__(self, **kwargs):
        self.lr = kwargs.get("lr", 1e-6)
        self.brand_new = kwargs.get("brand_new", None)
        self.other = somewhere.get("not_a_key")

class ModelConfig:
    def __init__(self, **kwargs):
        self.arch = kwargs.get("arch", None)
        if self.arch == "sdxl":
            pass
""",
    "jobs/process/BaseSDTrainProcess.py": """
class BaseSDTrainProcess:
    def __init__(self):
        self.trigger_word = self.get_conf("trigger_word", None)
        train = self.get_conf("train", {})
        model = self.get_conf("model", {})
""",
    "extensions_built_in/sd_trainer/DiffusionTrainer.py": """
class DiffusionTrainer:
    def __init__(self):
        self.sqlite_db_path = self.config.get("sqlite_db_path", "./aitk_db.db")
""",
    "extensions_built_in/diffusion_models/nova/nova.py": """
class Nova:
    arch = "nova"
""",
}


def config(process: dict) -> str:
    return yaml.safe_dump(
        {"job": "extension", "config": {"name": "x", "process": [process]}}, sort_keys=False
    )


def test_an_installed_source_tells_its_keys_without_being_run():
    found = read_options(SOURCE)
    assert found.data["classes"]["TrainConfig"] == {"brand_new": "", "lr": ""}
    assert {"trigger_word", "sqlite_db_path", "type"} <= set(found.data["classes"]["<process>"])
    assert {"nova", "sdxl", "sd15"} <= set(found.data["archs"])


def test_a_newer_engine_may_be_given_what_it_knows():
    found = read_options(SOURCE)
    assert unknown_keys(config({"train": {"brand_new": 1}}), found) == ()
    (complaint,) = unknown_keys(config({"train": {"brand_new": 1}}), SHIPPED)
    assert complaint.key == "config.yaml:train.brand_new"
    assert complaint.message == "ai-toolkit has no key train.brand_new."
    newer = spec(engine_options={"ai-toolkit": {"train": {"brand_new": 1}}})
    assert ENGINE.refusals(newer, found) == ()
    assert [refusal.field for refusal in ENGINE.refusals(newer)] == ["engine_options.ai-toolkit"]


def test_a_mistyped_arch_is_found_where_the_source_is_known():
    found = read_options(SOURCE)
    (complaint,) = unknown_keys(config({"model": {"arch": "nvoa"}}), found)
    assert "knows no model.arch nvoa" in complaint.message
    assert unknown_keys(config({"model": {"arch": "nova:tag"}}), found) == ()


def test_a_typo_is_found_in_every_section():
    process = {
        "type": "diffusion_trainer",
        "trainig_folder": "/x",
        "network": {"linaer": 4},
        "datasets": [{"folder_path": "/d"}, {"num_repeat": 2}],
        "train": {"ema_config": {"use_em": True}, "optimizer_params": {"free": 1}},
        "sample": {"samples": [{"promt": "a"}]},
    }
    found = unknown_keys(config(process), SHIPPED)
    assert tuple(complaint.message for complaint in found) == (
        "ai-toolkit has no key trainig_folder; did you mean training_folder?",
        "ai-toolkit has no key network.linaer; did you mean linear?",
        "ai-toolkit has no key datasets[1].num_repeat; did you mean num_repeats?",
        "ai-toolkit has no key train.ema_config.use_em; did you mean use_ema?",
        "ai-toolkit has no key sample.samples[0].promt; did you mean prompt?",
    )


def test_what_is_no_config_is_said_to_be_none():
    assert "no YAML" in unknown_keys("a: [", SHIPPED)[0].message
    assert unknown_keys("a: 1", SHIPPED)[0].message == "The file has no config section."


@pytest.mark.parametrize(
    ("section", "key", "value", "kinds"),
    [
        ("save", "save_every", "often", "int"),
        ("save", "push_to_hub", 1, "bool"),
        ("network", "linear_alpha", [1], "float"),
        ("train", "cache_text_embeddings", "yes", "bool"),
        ("sample", "prompts", "a dog", "list"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_the_right_one(section, key, value, kinds):
    (complaint,) = unknown_keys(config({section: {key: value}}), SHIPPED)
    assert complaint.key == f"config.yaml:{section}.{key}"
    assert f"must be of type {kinds}" in complaint.message


def test_a_whole_number_is_a_number_and_null_is_unset():
    process = {"network": {"linear_alpha": 4, "dropout": None}, "save": {"save_every": 250.0}}
    assert unknown_keys(config(process), SHIPPED) == ()


def test_a_folder_without_the_classes_is_no_checkout():
    with pytest.raises(ValueError, match="no ai-toolkit checkout"):
        read_options({"run.py": ""})
    with pytest.raises(ValueError, match="cannot be read"):
        read_options({"toolkit/config_modules.py": "class ("})


@pytest.mark.parametrize("key", sorted(ENGINE.families()))
def test_no_family_is_given_a_key_that_the_engine_does_not_know(key):
    family = families.families()[key]
    quantised = family.ai_toolkit is not None and "model.quantize" not in family.ai_toolkit.disabled
    given = spec(
        family=key,
        base_model=None,
        memory={"quantize": "qfloat8" if quantised else "none"},
        sampling={"prompts": ["a dog"]},
        ema={"enabled": True},
    )
    made = plan(given)
    assert ENGINE.complaints(given, made.files, SHIPPED) == ()
    process = yaml_reading.load(made.files["config.yaml"])["config"]["process"][0]
    assert process["model"]["name_or_path"]
    assert process["sample"]["sampler"] == process["train"]["noise_scheduler"]


@pytest.mark.engine
def test_the_installed_checkout_is_read_as_the_shipped_list_was():
    home = os.environ.get("AI_TOOLKIT_DIR")
    if not home:
        pytest.skip("not set: AI_TOOLKIT_DIR")
    paths = {path for pattern in ENGINE.option_sources() for path in Path(home).glob(pattern)}
    sources = {str(path.relative_to(home)): path.read_text("utf-8") for path in paths}
    found = ENGINE.read_options(sources)
    assert set(SHIPPED.data["classes"]) <= set(found.data["classes"])
    for name, keys in SHIPPED.data["classes"].items():
        assert set(keys) <= set(found.data["classes"][name]), name
    archs = {f.ai_toolkit.arch for f in families.families().values() if f.ai_toolkit}
    assert archs <= set(found.data["archs"])
