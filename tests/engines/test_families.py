"""The catalogue of model families."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines import families
from engines.fields import table

MODELS = Path(families.__file__).parent / "catalogue" / "ai_toolkit_models.json"
KEYS = list(families.families())


def test_every_model_of_ai_toolkits_own_form_is_a_family():
    names = {entry["name"] for entry in json.loads(MODELS.read_text("utf-8"))["archs"]}
    assert len(names) >= 53  # its form's 52, and sd3, which only its examples name
    assert names <= set(KEYS)


def test_what_kohya_trains_and_ai_toolkit_does_not_has_one_engine():
    for key in ("sd2", "hunyuan_image"):
        assert families.families()[key].engines == ("kohya_ss",)


@pytest.mark.parametrize("key", ["sd15", "sdxl", "flux", "chroma", "lumina2", "anima"])
def test_the_shared_families_have_both_engines(key):
    assert {"ai-toolkit", "kohya_ss"} <= {*families.families()[key].engines}


def test_the_better_tested_engine_comes_first():
    assert families.families()["sdxl"].engines[0] == "kohya_ss"
    assert families.families()["flux"].engines[0] == "ai-toolkit"


@pytest.mark.parametrize("key", KEYS)
def test_a_family_names_its_model_and_defaults_of_fields_that_exist(key):
    family = families.families()[key]
    assert family.label
    assert family.default_model
    assert family.engines
    assert set(family.defaults) <= set(table())


def test_only_the_stable_diffusion_families_are_trained_on_plain_noise():
    noisy = [
        key for key, f in families.families().items() if f.ai_toolkit and not f.ai_toolkit.flow
    ]
    assert sorted(noisy) == ["sd15", "sdxl"]


def test_recovery_adapters_are_there_where_the_form_offers_them():
    for entry in json.loads(MODELS.read_text("utf-8"))["archs"]:
        family = families.families()[entry["name"]]
        assert family.ai_toolkit is not None
        assert bool(family.ai_toolkit.recovery) == entry["accuracy_recovery_adapter"]


def test_an_unknown_family_is_none():
    assert families.get("sd99") is None
    assert families.get("sdxl") is families.families()["sdxl"]


def test_an_edit_family_needs_control_pictures_and_a_video_family_takes_frames():
    kontext = {item.path: item for item in families.families()["flux_kontext"].inputs}
    assert kontext["datasets[].control_path"].required
    assert kontext["sample.samples[].ctrl_img"].required
    klein = {item.path: item for item in families.families()["flux2_klein_4b"].inputs}
    assert not any(item.required for item in klein.values())
    wan = {item.path: item for item in families.families()["wan22_14b:t2v"].inputs}
    assert (wan["datasets[].fps"].default, wan["sample.num_frames"].default) == (16, 41)
    assert wan["model.model_kwargs.train_low_noise"].default is True
    assert families.families()["sdxl"].inputs == ()


def test_every_input_of_a_family_is_a_key_that_ai_toolkit_knows():
    from engines.ai_toolkit.draft import place
    from engines.ai_toolkit.options import shipped, unknown_in_process

    for family in families.families().values():
        for item in family.inputs:
            process: dict = {}
            samples = {"path": "/x", "text": "x", "switch": True, "integer": 1, "number": 1.5}
            place(process, item.path.replace("[]", "[0]"), samples[item.kind])
            assert unknown_in_process(process, shipped()) == [], (family.key, item.path)
