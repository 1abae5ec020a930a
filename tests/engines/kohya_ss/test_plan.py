"""The native files: every rule of the adapter, without the engine."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engines import families, presets
from engines.base import DatasetFacts, ResumePoint, UnsupportedError, Workspace
from engines.kohya_ss import KohyaSs, buckets
from engines.spec import JobSpec

KOHYA = KohyaSs()
FACTS = DatasetFacts(((512, 512, 4),), 4)
COMPONENTS = {
    key: {name: f"/c/{name}" for name in family.kohya.components}
    for key, family in families.families().items()
    if family.kohya
}


def spec(family="sd15", **changes):
    document = {
        "name": "dog", "family": family, "base_model": "/models/m", "components": COMPONENTS[family],
        "datasets": [{"path": "/data/dog", "resolution": [512]}], "length": {"steps": 10},
        "trigger_word": "zxq", "network": {"rank": 8, "alpha": 4}, **changes,
    }  # fmt: skip
    return JobSpec.model_validate(presets.complete(document, gpu=True))


def plan(wanted, **changes):
    space = {
        "native": Path("/run/native"), "output": Path("/run/output"), "logs": Path("/run/logs/1"),
        "home": Path("/sd"), "python": "/py", "datasets": (FACTS,) * len(wanted.datasets), "gpus": (0,),
    }  # fmt: skip
    return KOHYA.plan(wanted, Workspace(**{**space, **changes}))


def config(wanted, **changes):
    return tomllib.loads(plan(wanted, **changes).files["config.toml"])


def pictures(wanted, **changes):
    return tomllib.loads(plan(wanted, **changes).files["dataset.toml"])


def refused(wanted, **changes):
    with pytest.raises(UnsupportedError) as caught:
        plan(wanted, **changes)
    return {r.field: r.message for r in caught.value.refusals}


@pytest.mark.parametrize("family", sorted(COMPONENTS))
def test_every_family_gets_only_keys_that_its_script_knows(family):
    wanted = spec(family, sampling={"prompts": ["a dog"]})
    assert KOHYA.complaints(wanted, plan(wanted).files, KOHYA.shipped_options()) == ()


@pytest.mark.parametrize(
    ("family", "script"),
    [("sd15", "train_network.py"), ("sdxl", "sdxl_train_network.py"), ("flux", "flux_train_network.py"),
     ("chroma", "flux_train_network.py"), ("hunyuan_image", "hunyuan_image_train_network.py")],
)  # fmt: skip
def test_one_gpu_runs_the_script_with_python_itself(family, script):
    found = plan(spec(family))
    assert found.argv == ("/py", script, "--config_file", "/run/native/config.toml")
    assert found.cwd == Path("/sd")


def test_several_gpus_run_under_the_launcher_and_share_the_epoch():
    found = plan(spec(gpus=2, length={"epochs": 3}), gpus=(1, 3))
    assert found.argv[1:4] == ("-m", "accelerate.commands.launch", "--multi_gpu")
    assert found.env["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert found.total_steps == 6


def test_steps_become_whole_epochs_and_both_numbers_are_told():
    found = plan(spec(length={"steps": 10}, saving={"every_steps": 5}))
    assert (found.total_steps, found.epochs, found.steps_per_epoch) == (12, 3, 4)
    assert found.notes[0] == "10 steps asked; 3 whole epochs of 4 steps make 12."
    values = tomllib.loads(found.files["config.toml"])
    assert (values["max_train_epochs"], values["save_every_n_epochs"]) == (3, 1)
    assert "max_train_steps" not in values


def test_the_engines_own_count_wins_over_ours():
    assert plan(spec(length={"steps": 10}), steps_per_epoch=5).total_steps == 10


def test_where_nobody_looked_at_the_pictures_steps_are_written_as_they_are():
    values = config(spec(length={"steps": 10}), datasets=None)
    assert values["max_train_steps"] == 10


def test_states_are_always_kept_and_pruned_to_the_newest():
    values = config(spec(saving={"every_steps": 4, "keep": 3}))
    assert values["save_state"] is True
    assert values["save_last_n_epochs_state"] == values["save_every_n_epochs"]
    assert values["save_last_n_epochs"] == 3 * values["save_every_n_epochs"]


def test_a_resume_names_the_state_and_the_epoch_after_it():
    point = ResumePoint(Path("/run/output/dog-000002-state"), 8, 2)
    found = plan(spec(length={"epochs": 3}), resume=point)
    values = tomllib.loads(found.files["config.toml"])
    assert (values["resume"], values["initial_epoch"]) == (str(point.path), 3)
    assert (found.start_step, found.total_steps) == (8, 12)


def test_a_start_from_weights_loads_them_and_counts_from_0():
    found = plan(spec(), resume=ResumePoint(Path("/a.safetensors"), 0, weights_only=True))
    assert tomllib.loads(found.files["config.toml"])["network_weights"] == "/a.safetensors"
    assert found.start_step == 0


def test_a_warm_up_stays_a_whole_number_because_a_float_would_be_a_share():
    values = config(spec(optimizer={"scheduler": "constant", "warmup_steps": 100}))
    assert (values["lr_warmup_steps"], values["lr_scheduler"]) == (100, "constant_with_warmup")
    assert isinstance(values["lr_warmup_steps"], int)


def test_the_text_encoder_is_left_alone_unless_it_has_a_rate():
    assert config(spec())["network_train_unet_only"] is True
    values = config(spec(optimizer={"text_encoder_learning_rate": 5e-5}))
    assert values["text_encoder_lr"] == [5e-5]
    assert "network_train_unet_only" not in values


@pytest.mark.parametrize(
    ("network", "module", "arguments"),
    [
        ({"type": "lora"}, "networks.lora", None),
        (
            {"type": "locon", "conv_rank": 4, "conv_alpha": 1},
            "networks.lora",
            ["conv_dim=4", "conv_alpha=1.0"],
        ),
        ({"type": "loha"}, "lycoris.kohya", ["algo=loha", "preset=attn-mlp"]),
        ({"type": "lokr", "rank": 100_000}, "lycoris.kohya", ["algo=lokr", "preset=attn-mlp"]),
        ({"type": "dora"}, "lycoris.kohya", ["algo=lora", "preset=attn-mlp", "dora_wd=True"]),
    ],
)
def test_each_kind_of_network_gets_its_module_and_arguments(network, module, arguments):
    values = config(spec(network={"rank": 8, "alpha": 4, **network}))
    assert values["network_module"] == module
    assert values.get("network_args") == arguments


def test_a_folder_at_two_resolutions_stands_in_two_blocks():
    wanted = spec(
        datasets=[{"path": "/a", "resolution": [512, 768]}, {"path": "/b", "resolution": [768]}]
    )
    blocks = pictures(wanted)["datasets"]
    assert [(b["resolution"], [s["image_dir"] for s in b["subsets"]]) for b in blocks] == [
        (512, ["/a"]), (768, ["/a", "/b"]),
    ]  # fmt: skip


def test_the_caption_ending_is_always_written_because_the_engines_own_is_another():
    assert pictures(spec())["datasets"][0]["subsets"][0]["caption_extension"] == ".txt"


def test_the_trigger_word_leads_captions_and_prompts_and_stays_in_front_when_shuffled():
    wanted = spec(
        datasets=[{"path": "/a", "shuffle_tags": True}],
        sampling={"prompts": ["a dog", "zxq in snow", "[trigger] runs"], "width": 64, "height": 32},
    )
    subset = pictures(wanted)["datasets"][0]["subsets"][0]
    assert (subset["caption_prefix"], subset["keep_tokens"]) == ("zxq,", 1)
    lines = plan(wanted).files["prompts.txt"].splitlines()
    assert [line.partition(" --")[0] for line in lines] == ["zxq, a dog", "zxq in snow", "zxq runs"]
    assert "--w 64 --h 32" in lines[0]


@pytest.mark.parametrize(
    ("family", "changes", "field"),
    [
        ("sd15", {"ema": {"enabled": True}}, "ema.enabled"),
        ("flux", {"loss": {"min_snr_gamma": 5}}, "loss.min_snr_gamma"),
        ("flux", {"loss": {"noise_offset": 0.1}}, "loss.noise_offset"),
        ("flux", {"components": {}}, "components.t5xxl"),
        ("sd15", {"components": {"t5xxl": "/x"}}, "components.t5xxl"),
        ("sd15", {"memory": {"cache_text": "disk"}}, "memory.cache_text"),
        ("sd15", {"memory": {"offload": 0.5}}, "memory.offload"),
        ("sdxl", {"memory": {"quantize": "uint4"}}, "memory.quantize"),
        ("sdxl", {"memory": {"attention": "flash"}}, "memory.attention"),
        ("sdxl", {"memory": {"cache_text": "disk"}, "optimizer": {"text_encoder_learning_rate": 1e-5}},
         "memory.cache_text"),
        ("sd15", {"loss": {"timestep_sampling": "sigmoid"}}, "loss.timestep_sampling"),
        ("sd15", {"loss": {"guidance": 1}}, "loss.guidance"),
        ("sd15", {"optimizer": {"name": "automagic"}}, "optimizer.name"),
        ("sd15", {"optimizer": {"scheduler": "magic"}}, "optimizer.scheduler"),
        ("sd15", {"network": {"conv_rank": 4}}, "network.conv_rank"),
        ("sd15", {"network": {"type": "locon"}}, "network.conv_rank"),
        ("sd15", {"network": {"type": "lokr", "dropout": 0.1}}, "network.dropout"),
        ("sdxl", {"network": {"type": "dora", "dropout": 0.1}}, "network.dropout"),
        ("sd15", {"optimizer": {"name": "prodigy", "learning_rate": 1, "text_encoder_learning_rate": 0.5}},
         "optimizer.text_encoder_learning_rate"),
        ("sdxl", {"buckets": {"step": 8}}, "buckets.step"),
        ("sd15", {"sampling": {"prompts": ["a --w 9999"]}}, "sampling.prompts"),
        ("sd15", {"sampling": {"prompts": ["# no"]}}, "sampling.prompts"),
        # It is put in front of each prompt, where it would make it a comment, or cut it.
        ("sd15", {"sampling": {"prompts": ["a dog"]}, "trigger_word": "#zxq"}, "trigger_word"),
        ("sd15", {"sampling": {"prompts": ["a dog"]}, "trigger_word": "zxq --w 9"}, "trigger_word"),
        ("sd15", {"sampling": {"prompts": ["a [trigger]"]}, "trigger_word": "zxq\nb"}, "trigger_word"),
        ("sd15", {"engine_options": {"kohya_ss": {"config": {"network_dim": 4}}}},
         "engine_options.kohya_ss.config.network_dim"),
        ("sd15", {"engine_options": {"kohya_ss": {"config": {"learning_rat": 4}}}},
         "engine_options.kohya_ss.config.learning_rat"),
        ("sd15", {"engine_options": {"kohya_ss": {"config": {"clip_skip": "two"}}}},
         "engine_options.kohya_ss.config.clip_skip"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_at_its_field(family, changes, field):
    found = refused(spec(family, **changes))
    assert field in found
    assert found[field].endswith(".")


def test_the_saved_file_tells_the_highest_resolution():
    datasets = [{"path": "/a", "resolution": [512, 768]}, {"path": "/b", "resolution": [640]}]
    assert config(spec(datasets=datasets))["resolution"] == "768,768"


def test_the_saved_file_tells_the_job_and_the_caption_dropout_that_sd_scripts_leaves_out():
    assert config(spec(), job_id="7")["training_comment"] == "vast-lora job 7"
    datasets = [{"path": "/a", "caption_dropout": 0.1}, {"path": "/b"}]
    told = config(spec(datasets=datasets), job_id="")["training_comment"]
    assert told == "caption dropout by dataset: 0.1, 0"


def test_without_a_gpu_eight_bits_and_fp16_are_refused():
    wanted = spec(optimizer={"name": "adamw8bit"}, memory={"mixed_precision": "fp16"})
    assert set(refused(wanted, gpus=())) == {"optimizer.name", "memory.mixed_precision"}


def test_native_keys_of_the_person_reach_both_files():
    options = {"config": {"clip_skip": 2, "network_args": ["rank_dropout=0.1"]}, "dataset": {"datasets": [
        {"subsets": [{"caption_tag_dropout_rate": 0.2}]}]}}  # fmt: skip
    wanted = spec(network={"type": "loha", "rank": 4}, engine_options={"kohya_ss": options})
    values = config(wanted)
    assert values["clip_skip"] == 2
    assert values["network_args"] == ["algo=loha", "preset=attn-mlp", "rank_dropout=0.1"]
    assert pictures(wanted)["datasets"][0]["subsets"][0]["caption_tag_dropout_rate"] == 0.2


def test_buckets_follow_the_pictures_unless_they_are_enlarged():
    small = buckets.bucket_of((300, 200), 512, spec().buckets, ())
    assert small == (256, 192)
    wanted = spec(buckets={"upscale": True})
    fixed = buckets.resolutions(512, wanted.buckets)
    assert (512, 512) in fixed
    width, height = buckets.bucket_of((300, 200), 512, wanted.buckets, fixed)
    assert abs(width / height - 1.5) < 0.2
    assert width * height <= 512 * 512


def test_batches_are_counted_by_bucket_and_regularisation_fills_up():
    mixed = DatasetFacts(((512, 512, 3), (512, 256, 3)))
    wanted = spec(batch={"size": 2})
    assert buckets.batches_per_epoch(wanted, [mixed]) == 4
    regular = spec(datasets=[{"path": "/a", "repeats": 2}, {"path": "/r", "regularisation": True}])
    both = [DatasetFacts(((512, 512, 2),)), DatasetFacts(((512, 512, 1),))]
    assert buckets.batches_per_epoch(regular, both) == 8


def test_a_picture_that_leaves_no_bucket_is_told_before_the_engine_divides_by_zero():
    wanted = spec(datasets=[{"path": "/a", "resolution": [64]}])
    assert (
        "2000x100" in refused(wanted, datasets=(DatasetFacts(((2000, 100, 1),)),))["buckets.step"]
    )


def test_a_hub_id_is_refused_where_sd_scripts_reads_one_file_and_told_where_that_is():
    wanted = spec("flux", base_model="black-forest-labs/FLUX.1-dev")
    found = refused(wanted)
    assert list(found) == ["base_model"]
    assert "black-forest-labs/FLUX.1-dev/flux1-dev.safetensors" in found["base_model"]
    assert any("base_model" in note for note in plan(wanted, datasets=None).notes)
    plan(spec("sdxl", base_model="stabilityai/stable-diffusion-xl-base-1.0"))


def test_a_missing_part_is_told_with_the_place_where_it_is_published():
    found = refused(spec("flux", components={"ae": "/m/ae", "t5xxl": "/m/t5"}))
    assert "comfyanonymous/flux_text_encoders/clip_l.safetensors" in found["components.clip_l"]


def test_each_tag_of_a_trigger_word_stays_in_front_when_tags_are_shuffled():
    shuffled = [{"path": "/data/dog", "resolution": [512], "shuffle_tags": True}]
    wanted = spec(datasets=shuffled, trigger_word="ohwx, dog")
    assert pictures(wanted)["datasets"][0]["subsets"][0]["keep_tokens"] == 2
