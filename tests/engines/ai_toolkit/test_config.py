"""The file that ai-toolkit is given: golden ones, and each canonical field in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import ResumePoint
from tests.engines.ai_toolkit.builders import ENGINE, SPACE, plan, process, spec
from tests.support import yaml_reading

GOLDEN = Path(__file__).parent / "golden"

FULL = {
    "sd15": {
        "components": {"vae": "/models/vae"},
        "trigger_word": "ohwx dog",
        "datasets": [
            {"path": "/data/dog", "repeats": 10, "resolution": [512], "caption_dropout": 0.05},
            {"path": "/data/any dog", "resolution": [512], "regularisation": True, "flip": True},
        ],
        "network": {"type": "locon", "rank": 32, "alpha": 16, "conv_rank": 8, "conv_alpha": 4},
        "optimizer": {
            "name": "AdamW8bit",
            "learning_rate": 5e-5,
            "text_encoder_learning_rate": 5e-5,
            "scheduler": "constant",
            "warmup_steps": 20,
            "arguments": {"betas": [0.9, 0.99]},
        },
        "loss": {"min_snr_gamma": 5, "noise_offset": 0.05},
        "ema": {"enabled": True, "decay": 0.995},
        "sampling": {"prompts": ["a dog", "[trigger] in a hat"], "width": 512, "height": 512},
    },
    "sdxl": {
        "network": {"type": "lokr", "rank": 100_000, "alpha": 1},
        "optimizer": {"name": "prodigy", "learning_rate": 1.0, "scheduler": "cosine"},
        "memory": {"mixed_precision": "no", "cache_latents": "memory", "cache_text": "disk"},
        "saving": {"precision": "bf16", "every_steps": 100, "keep": 2},
    },
    "flux": {
        "optimizer": {"scheduler": "linear", "learning_rate": 1e-5},
        "memory": {"quantize": "qfloat8", "cache_text": "disk"},
        "loss": {"guidance": 1.0, "timestep_sampling": "sigmoid"},
        "batch": {"size": 2, "gradient_accumulation": 4},
        "sampling": {"prompts": ["a dog"], "guidance": 4, "steps": 25},
        "engine_options": {
            "ai-toolkit": {
                "model": {"low_vram": True},
                "datasets": [{"mask_path": "/data/masks"}],
                "train": {"lr_scheduler_params": {"total_iters": 100}, "weight_jitter": 0.5},
                "sample": {"samples": [{"network_multiplier": 0.8}]},
            }
        },
    },
}


@pytest.mark.parametrize("family", FULL)
def test_the_file_is_the_golden_one(family):
    text = plan(spec(family=family, **FULL[family])).files["config.yaml"]
    golden = GOLDEN / f"{family}.yaml"
    assert text == golden.read_text("utf-8"), f"compare with {golden}"


def test_the_command_names_absolute_files_and_runs_in_the_checkout():
    made = plan()
    assert made.argv == ("/aitk/bin/python", "/aitk/run.py", "/run/native/config.yaml")
    assert made.cwd == Path("/aitk")
    assert made.final == "ohwx-dog/ohwx-dog.safetensors"
    assert made.total_steps == 200


def test_the_environment_chooses_the_gpus_and_the_control_row():
    env = plan(gpus=(2,)).env
    assert env["CUDA_VISIBLE_DEVICES"] == "2"
    assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert env["AITK_JOB_ID"] == "12"
    assert env["PYTHONUNBUFFERED"] == "1"


def test_without_a_gpu_nothing_is_said_about_cuda_and_no_workers_are_started():
    given = spec(optimizer={"name": "adamw"})
    assert not [name for name in plan(given, gpus=()).env if name.startswith("CUDA")]
    assert process(given, gpus=())["datasets"][0]["num_workers"] == 0
    assert process(given)["datasets"][0]["num_workers"] == 2


@pytest.mark.parametrize("rate", [1e-4, 1e-5, 3e-7, 1.0, 0.00012])
def test_rates_come_back_as_numbers_from_a_plain_yaml_reader(rate):
    given = spec(optimizer={"learning_rate": rate, "weight_decay": rate})
    train = process(given)["train"]
    assert (train["lr"], train["optimizer_params"]["weight_decay"]) == (rate, rate)


def test_no_prompts_draw_no_samples_and_the_negative_prompt_is_never_left_out():
    made = process()
    assert made["train"]["disable_sampling"] is True
    assert made["sample"]["neg"] == ""
    assert made["sample"]["samples"] == []


def test_the_trigger_word_is_put_in_front_of_prompts_that_lack_it():
    prompts = ["a dog", "ohwx dog on a sofa", "[trigger] in a hat"]
    made = process(spec(trigger_word="ohwx dog", sampling={"prompts": prompts}))
    assert [sample["prompt"] for sample in made["sample"]["samples"]] == [
        "ohwx dog, a dog", "ohwx dog on a sofa", "ohwx dog in a hat",
    ]  # fmt: skip


def test_odd_letters_survive_the_file():
    prompt = "日本 \u2028 🦊 'quoted': {yes} # no\ttab"
    made = process(spec(sampling={"prompts": [prompt]}))
    assert made["sample"]["samples"][0]["prompt"] == prompt


def test_a_word_that_the_engine_would_read_as_a_number_is_quoted():
    text = plan(spec(name="1e5", trigger_word="3E-4")).files["config.yaml"]
    assert "name: '1e5'" in text
    assert "trigger_word: '3E-4'" in text


def test_a_lokr_uses_its_rank_unless_full_rank_is_meant():
    small = process(spec(network={"type": "lokr", "rank": 8, "alpha": 8}))["network"]
    assert (small["lokr_full_rank"], small["linear"]) == (False, 8)
    full = process(spec(network={"type": "lokr", "rank": 100_000, "alpha": 1}))["network"]
    assert full["lokr_full_rank"] is True


@pytest.mark.parametrize(
    ("given", "name", "parameters"),
    [
        ({"scheduler": "constant"}, "constant", {}),
        (
            {"scheduler": "constant", "warmup_steps": 9},
            "constant_with_warmup",
            {"num_warmup_steps": 9},
        ),
        ({"scheduler": "constant_with_warmup"}, "constant_with_warmup", {"num_warmup_steps": 0}),
        ({"scheduler": "linear"}, "linear", {"start_factor": 1.0, "end_factor": 0.0}),
        ({"scheduler": "cosine"}, "cosine", {}),
        ({"scheduler": "cosine_with_restarts"}, "cosine_with_restarts", {}),
    ],
)
def test_schedules_are_written_so_that_they_do_what_their_name_says(given, name, parameters):
    train = process(spec(optimizer=given))["train"]
    assert (train["lr_scheduler"], train["lr_scheduler_params"]) == (name, parameters)


@pytest.mark.parametrize(
    ("asked", "native"),
    [("AdamW8bit", "adamw8bit"), ("Prodigy", "prodigy"),
     ("Adafactor", "adafactor"), ("Lion8bit", "lion8bit")],
)  # fmt: skip
def test_optimizers_are_known_by_the_other_engines_names_too(asked, native):
    given = spec(optimizer={"name": asked, "learning_rate": 1.0})
    assert process(given)["train"]["optimizer"] == native


def test_prodigy_at_the_default_rate_is_written_as_one_and_says_so():
    made = plan(spec(optimizer={"name": "prodigy"}))
    assert (
        yaml_reading.load(made.files["config.yaml"])["config"]["process"][0]["train"]["lr"] == 1.0
    )
    assert any("learning rate itself" in note for note in made.notes)


@pytest.mark.parametrize(
    ("word", "native"), [("no", "fp32"), ("fp32", "fp32"), ("fp16", "fp16"), ("bf16", "bf16")]
)
def test_precisions_are_named_as_the_engine_names_them(word, native):
    assert process(spec(memory={"mixed_precision": word}))["train"]["dtype"] == native


def test_a_resume_needs_no_key_and_counts_from_the_saved_step():
    point = ResumePoint(Path("/run/output/ohwx-dog/ohwx-dog_000000100.safetensors"), 100)
    made = plan(resume=point)
    assert made.start_step == 100
    assert made.control is not None
    assert made.control.parameters == ("12", 100)
    assert "pretrained_lora_path" not in made.files["config.yaml"]


def test_a_finished_job_started_again_is_said_to_have_nothing_left():
    made = plan(resume=ResumePoint(Path("/run/output/ohwx-dog/ohwx-dog.safetensors"), 200))
    assert any("All 200 steps are done" in note for note in made.notes)


def test_another_jobs_lora_is_where_the_weights_start():
    point = ResumePoint(Path("/jobs/3/output/a/a.safetensors"), 0, weights_only=True)
    given = spec(resume={"from": 3})
    assert process(given, resume=point)["network"]["pretrained_lora_path"] == str(point.path)
    assert plan(given, resume=point).start_step == 0
    path = spec(resume={"from": "/loras/a.safetensors"})
    assert process(path)["network"]["pretrained_lora_path"] == "/loras/a.safetensors"


def test_engine_options_are_laid_over_everything_else():
    given = spec(
        family="flux",
        sampling={"prompts": ["a dog", "a cat"]},
        engine_options={
            "ai-toolkit": {
                "train": {"weight_jitter": 0.5, "lr_scheduler_params": {"x": 1}},
                "network": {"network_kwargs": {"only_if_contains": ["double"]}},
                "datasets": {"0": {"mask_path": "/m"}},
                "sample": {"samples": [{}, {"ctrl_img": "/c.png"}]},
            }
        },
    )
    made = process(given)
    assert made["train"]["weight_jitter"] == 0.5
    assert made["train"]["lr"] == 1e-4
    assert made["network"]["network_kwargs"] == {"only_if_contains": ["double"]}
    assert made["datasets"][0]["mask_path"] == "/m"
    assert made["datasets"][0]["folder_path"] == "/data/dog"
    assert made["sample"]["samples"] == [
        {"prompt": "a dog"},
        {"prompt": "a cat", "ctrl_img": "/c.png"},
    ]


def test_an_incomplete_spec_is_rendered_with_the_usual_base_model_and_a_note():
    made = plan(spec(base_model=None, datasets=[]))
    assert "stable-diffusion-v1-5/stable-diffusion-v1-5" in made.files["config.yaml"]
    assert any("No base model is named" in note for note in made.notes)
    assert ENGINE.complaints(spec(), made.files, ENGINE.shipped_options()) == ()


def test_alpha_that_a_transformer_ignores_is_told_and_recorded_as_the_rank():
    made = plan(spec(family="flux", network={"rank": 32}))
    assert "Alpha has no effect in flux: ai-toolkit takes the rank, 32." in made.notes
    assert yaml_reading.load(made.files["config.yaml"])["meta"]["ss_network_alpha"] == "32.0"
    unet = plan(spec(family="sdxl", network={"rank": 32, "alpha": 8}))
    assert not any("Alpha" in note for note in unet.notes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": {"gradient_accumulation": 4}}, "takes no mean"),
        ({"sampling": {"prompts": ["a dog"], "width": 1001}}, "multiples of 8"),
        ({"trigger_word": "ohwx", "datasets": [{"path": "/d", "shuffle_tags": True}]}, "shuffles"),
        ({"network": {"type": "lokr", "rank": 100_000}}, "trains the convolutions too"),
    ],
)
def test_what_the_engine_does_otherwise_than_expected_is_noted(given, words):
    assert any(words in note for note in plan(spec(**given)).notes)
    assert not any(words in note for note in plan(spec()).notes)


def test_a_run_that_saves_only_at_its_end_says_so():
    said = "Nothing is saved before the end: 200 steps, saving every 250."
    assert said in plan(spec(saving={"every_steps": 250})).notes
    assert said not in plan(spec(saving={"every_steps": 100})).notes


def test_the_control_file_lies_beside_the_output():
    made = plan()
    assert made.control is not None
    assert made.control.path == SPACE.output.parent / "control.db"
    assert made.stop[0].path == str(made.control.path)
