"""What ai-toolkit cannot do is refused by name, and never dropped in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import DatasetFacts, UnsupportedError
from tests.engines.ai_toolkit.builders import ENGINE, SPACE, plan, process, refused, spec

DATASET = {"path": "/data/dog", "resolution": [512]}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("network.type", {"network": {"type": "loha"}}),
        ("network.type", {"network": {"type": "dora"}}),
        ("network.type", {"family": "flux", "network": {"type": "locon"}}),
        ("network.conv_rank", {"network": {"type": "locon"}}),
        ("network.conv_rank", {"family": "flux", "network": {"conv_rank": 4}}),
        ("network.conv_alpha", {"network": {"conv_alpha": 4}}),
        ("network.rank", {"network": {"rank": 100_000}}),
        ("network.alpha", {"family": "flux", "network": {"rank": 32, "alpha": 8}}),
        ("network.alpha", {"family": "zimage", "network": {"type": "lokr", "rank": 8, "alpha": 4}}),
        ("network.dropout", {"network": {"type": "lokr", "dropout": 0.1}}),
        ("network.conv_rank", {"network": {"type": "lokr", "rank": 100_000, "conv_rank": 8}}),
        ("optimizer.arguments", {"optimizer": {"arguments": {"momentum": 0.9}}}),
        (
            "optimizer.arguments",
            {"optimizer": {"name": "adafactor", "arguments": {"betas": [0, 1]}}},
        ),
        ("optimizer.name", {"optimizer": {"name": "came"}}),
        ("optimizer.name", {"optimizer": {"name": "Lion"}}),
        ("optimizer.name", {"optimizer": {"name": "DAdaptation"}}),
        ("optimizer.learning_rate", {"optimizer": {"name": "prodigy", "learning_rate": 2e-3}}),
        ("optimizer.arguments", {"optimizer": {"arguments": {"weight_decay": 0.1}}}),
        ("optimizer.arguments", {"optimizer": {"arguments": {"eps": 1e-8}}}),
        ("optimizer.scheduler", {"optimizer": {"scheduler": "polynomial"}}),
        ("optimizer.scheduler", {"optimizer": {"scheduler": "step"}}),
        ("optimizer.warmup_steps", {"optimizer": {"scheduler": "cosine", "warmup_steps": 10}}),
        ("optimizer.warmup_steps", {"optimizer": {"scheduler": "linear", "warmup_steps": 10}}),
        (
            "optimizer.text_encoder_learning_rate",
            {"optimizer": {"text_encoder_learning_rate": 5e-5}},
        ),
        (
            "optimizer.text_encoder_learning_rate",
            {"family": "flux", "optimizer": {"text_encoder_learning_rate": 1e-4}},
        ),
        ("memory.quantize", {"memory": {"quantize": "qfloat8"}}),
        ("memory.offload", {"family": "flux", "memory": {"offload": 0.5}}),
        ("memory.attention", {"memory": {"attention": "xformers"}}),
        ("memory.cache_text", {"family": "flux", "memory": {"cache_text": "memory"}}),
        (
            "memory.cache_text",
            {"family": "sdxl", "memory": {"cache_text": "disk"}, "sampling": {"prompts": ["a"]}},
        ),
        (
            "memory.cache_text",
            {"family": "lumina2", "memory": {"cache_text": "disk"}, "sampling": {"prompts": ["a"]}},
        ),
        (
            "datasets.0.caption_dropout",
            {
                "family": "flux",
                "memory": {"cache_text": "disk"},
                "datasets": [{**DATASET, "caption_dropout": 0.1}],
            },
        ),
        (
            "datasets.0.shuffle_tags",
            {
                "family": "flux",
                "memory": {"cache_text": "disk"},
                "datasets": [{**DATASET, "shuffle_tags": True}],
            },
        ),
        (
            "datasets.1.keep_tags",
            {"datasets": [DATASET, {**DATASET, "shuffle_tags": True, "keep_tags": 1}]},
        ),
        ("datasets.0.path", {"datasets": [{**DATASET, "path": "/data/[old] dog"}]}),
        ("buckets.min", {"buckets": {"min": 512}}),
        ("buckets.max", {"buckets": {"max": 1024}}),
        ("buckets.step", {"buckets": {"step": 32}}),
        ("buckets.upscale", {"buckets": {"upscale": True}}),
        (
            "buckets.enabled",
            {
                "family": "wan21:1b",
                "buckets": {"enabled": False},
                "engine_options": {"ai-toolkit": {"datasets": [{"num_frames": 41}]}},
            },
        ),
        ("components.clip_l", {"family": "flux", "components": {"clip_l": "/m/clip.safetensors"}}),
        ("loss.min_snr_gamma", {"family": "flux", "loss": {"min_snr_gamma": 5}}),
        ("loss.noise_offset", {"family": "flux", "loss": {"noise_offset": 0.1}}),
        ("loss.timestep_sampling", {"loss": {"timestep_sampling": "sigmoid"}}),
        ("loss.timestep_sampling", {"family": "flux", "loss": {"timestep_sampling": "logsnr"}}),
        ("loss.guidance", {"family": "qwen_image", "loss": {"guidance": 1.0}}),
        ("sampling.prompts", {"sampling": {"prompts": ["a dog -- running"]}}),
        ("trigger_word", {"sampling": {"prompts": ["a dog"]}, "trigger_word": "zxq--two"}),
        ("gpus", {"gpus": 2}),
        ("family", {"family": "hunyuan_image"}),
    ],
)
def test_a_wish_that_cannot_be_honoured_names_its_field(field, given):
    found = refused(spec(**given))
    assert list(found) == [field]
    assert found[field].endswith((".", "?"))
    with pytest.raises(UnsupportedError) as caught:
        plan(spec(**given))
    assert [refusal.field for refusal in caught.value.refusals] == [field]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("base_model", {"base_model": "/models/${HOME}"}),
        ("trigger_word", {"trigger_word": "${WORD}"}),
        ("components.vae", {"components": {"vae": "/m/${V}"}}),
        ("datasets.0.path", {"datasets": [{**DATASET, "path": "/data/${D}"}]}),
        ("sampling.prompts", {"sampling": {"prompts": ["ok", "a ${COLOUR} dog"]}}),
        ("sampling.prompts", {"sampling": {"prompts": ["a dog named [name]"]}}),
        ("resume", {"resume": {"from": "/l/${L}.safetensors"}}),
        ("optimizer.arguments", {"optimizer": {"arguments": {"betas": ["${B}"]}}}),
        (
            "engine_options.ai-toolkit",
            {"engine_options": {"ai-toolkit": {"train": {"loss_type": "${X}"}}}},
        ),
    ],
)
def test_text_that_the_engine_would_replace_is_refused(field, given):
    assert list(refused(spec(**given))) == [field]


@pytest.mark.parametrize("name", ["s", "sample", "config", "opt", "Log", "l", "pid.txt"])
def test_a_name_that_the_engine_would_take_its_own_file_for_is_refused(name):
    assert list(refused(spec(name=name))) == ["name"]


@pytest.mark.parametrize("name", ["samples-of-dog", "dog", "config2", "logo"])
def test_other_names_are_not(name):
    assert refused(spec(name=name)) == {}


@pytest.mark.parametrize("folder", ["/data[1]/run/output", "/a*/output", "/my_cnn/output"])
def test_a_folder_in_which_no_checkpoint_would_be_found_is_refused(folder):
    with pytest.raises(UnsupportedError, match="move DATA_DIR"):
        plan(output=Path(folder))


@pytest.mark.parametrize("name", ["adamw8bit", "prodigy8bit", "adamw8", "Lion8bit"])
def test_eight_bit_optimizers_need_a_gpu(name):
    given = spec(optimizer={"name": name, "learning_rate": 1.0})
    with pytest.raises(UnsupportedError, match="needs a GPU") as caught:
        ENGINE.plan(given, replace(SPACE, gpus=()))
    assert caught.value.refusals[0].field == "optimizer.name"


def test_a_text_encoder_rate_equal_to_the_learning_rate_trains_it_and_says_so():
    made = plan(spec(optimizer={"text_encoder_learning_rate": 1e-4}))
    assert "train_text_encoder: true" in made.files["config.yaml"]
    assert any("text encoder" in note for note in made.notes)


def test_a_text_encoder_rate_of_nought_leaves_it_alone():
    made = plan(spec(family="flux", optimizer={"text_encoder_learning_rate": 0}))
    assert "train_text_encoder: false" in made.files["config.yaml"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": {"lr": 1e-3}}, "optimizer.learning_rate"),
        ({"network": {"rank": 8}}, "network.rank"),
        ({"train": {"optimizer_params": {"betas": [0.9, 0.99]}}}, "optimizer.arguments"),
        ({"datasets": [{"num_repeats": 3}]}, "datasets[].repeats"),
        ({"sample": {"prompts": ["a"]}}, "sampling.prompts"),
        ({"trigger_word": "x"}, "trigger_word"),
        ({"model": {"vae_path": "/v"}}, "components.vae"),
        ({"train": {"ema_config": {"ema_decay": 0.5}}}, "ema.decay"),
        ({"train": {"unet_lr": 0.5}}, "optimizer.learning_rate"),
        ({"training_folder": "/x"}, "set by the platform"),
        ({"training_folder": {"a": 1}}, "set by the platform"),
        ({"train": {"max_gradnorm": 1}}, "did you mean max_grad_norm?"),
        ({"trian": {"x": 1}}, "no key trian"),
        ({"train": 5}, "must be a group"),
        ({"datasets": [{}, {"mask_path": "/m"}]}, "there are only 1"),
        ({"sample": {"samples": [{"ctrl_img": "/c"}]}}, "there are only 0"),
    ],
)
def test_an_engine_option_with_a_field_of_its_own_or_unknown_is_refused(options, words):
    found = refused(spec(engine_options={"ai-toolkit": options}))
    ((field, sentence),) = found.items()
    assert field.startswith("engine_options.ai-toolkit")
    assert words in sentence


def test_options_of_the_other_engine_are_none_of_our_business():
    assert refused(spec(engine_options={"kohya_ss": {"config": {"nonsense": 1}}})) == {}


def test_free_dictionaries_take_anything():
    options = {
        "network": {"network_kwargs": {"only_if_contains": ["x"]}},
        "model": {"model_kwargs": {"anything": {"deep": 1}}},
        "train": {"ema_config": {"use_feedback": True}, "lr_scheduler_params": {"eta_min": 1e-6}},
    }
    assert refused(spec(engine_options={"ai-toolkit": options})) == {}


@pytest.mark.parametrize(
    "options",
    [
        {"model": None},
        {"train": [1]},
        {"train.lr": 1},
        {"datasets": 5},
        {"datasets": [None]},
        {"datasets": {"mask_path": "/m"}},
        {"sample": {"samples": {"seed": 3}}},
        {"network": {"network_kwargs": {"a[0]": 1}}},
        {"train": {"": 1}},
        {"datasets": {"99999999": {"mask_path": "/m"}}},
        {"datasets": {"²": {"mask_path": "/m"}}},
        {"sample": {"samples": {"99999999": {"neg": "x"}}}},
    ],
)
def test_engine_options_of_the_wrong_shape_are_refused(options):
    found = refused(spec(engine_options={"ai-toolkit": options}))
    assert found
    assert all(field.startswith("engine_options.ai-toolkit") for field in found)


def test_a_group_takes_the_place_of_a_plain_value():
    options = {"sample": {"walk_seed": {"a": 1}}}
    assert process(spec(engine_options={"ai-toolkit": options}))["sample"]["walk_seed"] == {"a": 1}


def test_empty_groups_change_nothing():
    plain = {"sampling": {"prompts": ["a dog"]}}
    for datasets in ([], [{}]):
        empty = {"model": {}, "datasets": datasets, "sample": {"samples": []}}
        given = spec(**plain, engine_options={"ai-toolkit": empty})
        assert process(given) == process(spec(**plain))


@pytest.mark.parametrize(
    ("family", "open_places"),
    [
        ("flux_kontext", ["datasets.0.control_path", "sample.samples.1.ctrl_img"]),
        ("qwen_image_edit_plus", ["datasets.0.control_path_1", "sample.samples.1.ctrl_img_1"]),
        ("wan21_i2v:14b", ["sample.samples.1.ctrl_img"]),
        ("flux2_klein_4b", []),
    ],
)
def test_pictures_that_a_family_cannot_do_without_are_asked_for_before_the_start(
    family, open_places
):
    own = {"sample": {"samples": [{"ctrl_img": "/c.png"}, {}]}}
    given = spec(
        family=family, sampling={"prompts": ["a", "b"]}, engine_options={"ai-toolkit": own}
    )
    fields = [f"engine_options.ai-toolkit.{place}" for place in open_places]
    assert [
        note.split(": ")[0] for note in plan(given).notes if note.startswith("engine")
    ] == fields
    facts = (DatasetFacts(((512, 512, 10),)),)
    if fields:
        with pytest.raises(UnsupportedError) as caught:
            plan(given, datasets=facts)
        assert [refusal.field for refusal in caught.value.refusals] == fields
    else:
        assert plan(given, datasets=facts).files


@pytest.mark.parametrize("option", [{"num_frames": 41}, {"auto_frame_count": True}])
def test_a_folder_of_clips_alone_needs_frames_to_be_taken_of_them(option):
    nothing = (DatasetFacts(()),)
    with pytest.raises(UnsupportedError, match="holds clips and no pictures") as caught:
        plan(spec(family="wan21:1b"), datasets=nothing)
    assert caught.value.refusals[0].field == "engine_options.ai-toolkit.datasets.0.num_frames"
    own = {"ai-toolkit": {"datasets": [option]}}
    assert plan(spec(family="wan21:1b", engine_options=own), datasets=nothing).total_steps == 200
    assert plan(spec(family="minimax_h3"), datasets=nothing).total_steps == 200
