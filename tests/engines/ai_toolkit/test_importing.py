"""A native config as a canonical document, with one line for each value that changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from engines.ai_toolkit.importing import import_config
from engines.importing import NotAConfigError
from engines.spec import JobSpec
from tests.engines.ai_toolkit.builders import ENGINE, plan, spec
from tests.engines.ai_toolkit.documents import documents
from tests.engines.ai_toolkit.test_config import FULL
from tests.support import yaml_reading

REPLAY = Path(__file__).parents[2] / "replay" / "ai_toolkit"
TWENTY_FOUR = """
job: extension
config:
  name: my first lora
  process:
    - type: sd_trainer
      training_folder: output
      device: cuda:0
      network: {type: lora, linear: 16, linear_alpha: 16, conv: 16, lokr_full_rank: true}
      save: {dtype: float16, save_every: 250, max_step_saves_to_keep: 4, push_to_hub: false}
      datasets:
        - folder_path: /pictures
          caption_ext: txt
          caption_dropout_rate: 0.05
          cache_latents_to_disk: true
          resolution: [512, 768, 1024]
      train:
        batch_size: 1
        steps: 2000
        gradient_accumulation_steps: 1
        train_text_encoder: false
        noise_scheduler: flowmatch
        optimizer: adamw8bit
        lr: 1e-4
        min_snr_gamma: 5
        text_encoder_lr: 1e-5
        linear_timesteps: true
        max_gradnorm: 1
        ema_config: {use_ema: true, ema_decay: 0.99}
        dtype: bf16
      model: {name_or_path: black-forest-labs/FLUX.1-dev, is_flux: true, quantize: true}
      sample:
        sampler: flowmatch
        sample_every: 250
        prompts: ["a dog --w 512 --d 7", "[name] on a sofa"]
        neg: ""
        seed: 42
meta: {name: "[name]", version: "1.0"}
"""


def read(text: str, name: str = "config.yaml") -> tuple[JobSpec, tuple[str, ...]]:
    found = import_config(text, name)
    return JobSpec.model_validate(found.document), found.lines


def process_of(text: str) -> dict:
    return yaml_reading.load(text)["config"]["process"][0]


def test_an_upstream_example_is_understood_key_by_key():
    found, lines = read(TWENTY_FOUR)
    assert (found.name, found.family, found.engine) == ("my-first-lora", "flux", "ai-toolkit")
    assert found.base_model == "black-forest-labs/FLUX.1-dev"
    assert (found.network.rank, found.network.alpha) == (16, 16)
    assert found.optimizer.learning_rate == 1e-4
    assert found.datasets[0].resolution == (512, 768, 1024)
    assert found.memory.quantize == "qfloat8"
    assert found.memory.cache_latents == "disk"
    assert found.sampling.prompts == ("a dog", "my-first-lora on a sofa")
    own = found.engine_options["ai-toolkit"]
    assert own["train"] == {"linear_timesteps": True}
    assert own["sample"]["samples"] == [{"width": 512, "seed": 7}]
    assert set(lines) >= {
        "dropped job: every training has it",
        "translated config.name -> name",
        "translated model.is_flux -> family",
        "translated save.dtype -> saving.precision",
        "translated datasets[0].caption_ext -> datasets.0.caption_extension",
        "dropped train.min_snr_gamma: it has no meaning for flux, which is flow matching",
        "dropped train.text_encoder_lr: ai-toolkit does not use it for a LoRA",
        "dropped train.max_gradnorm: ai-toolkit has no such key and ignores it",
        "dropped network.conv: flux has no convolutions to train",
        "dropped network.lokr_full_rank: only a LoKr has it",
        "translated sample.prompts[0] -> sampling.prompts",
        "translated sample.prompts[1] -> sampling.prompts",
    }
    assert ENGINE.refusals(found) == ()


def test_where_the_config_is_silent_the_engines_own_defaults_are_written():
    text = """
job: extension
config:
  name: quiet
  process:
    - {type: sd_trainer, network: {type: lora}, model: {name_or_path: /m, arch: sd1}}
"""
    found, _ = read(text)
    assert (found.network.rank, found.network.alpha) == (4, 1)
    assert (found.optimizer.name, found.optimizer.learning_rate) == ("adamw", 1e-6)
    assert (found.memory.mixed_precision, found.memory.cache_latents) == ("fp32", "none")
    assert (found.length.steps, found.saving.every_steps, found.saving.keep) == (1000, 1000, 5)
    assert (found.sampling.width, found.sampling.seed) == (512, 0)
    assert found.datasets == ()


def test_each_key_has_at_most_one_line():
    for path in REPLAY.glob("*/config.yaml"):
        try:
            lines = import_config(path.read_text("utf-8"), path.name).lines
        except NotAConfigError:
            continue
        keys = [line.split(":")[0].split(" -> ")[0] for line in lines]
        assert len(keys) == len(set(keys)), path


@pytest.mark.parametrize("run", ["success_pipe", "sdxl_full", "warm_te", "save_then_stop", "nan"])
def test_a_recorded_config_runs_again_as_it_ran(run):
    text = (REPLAY / run / "config.yaml").read_text("utf-8")
    found, _ = read(text)
    was, made = process_of(text), process_of(plan(found).files["config.yaml"])
    for section in ("network", "train"):
        for key, value in was[section].items():
            if key in ("text_encoder_lr", "unet_lr"):
                continue
            written = made[section].get(key)
            if key in ("lr", "max_grad_norm"):
                value = float(value)
            assert written == value or not (value or written), (section, key)
    for before, after in zip(was["datasets"], made["datasets"], strict=True):
        assert after["folder_path"] == before["folder_path"]
        assert after["num_repeats"] == before.get("num_repeats", 1)


def again(made) -> dict:
    """The process that comes out when a planned file is imported and planned again."""
    found, _ = read(made.files["config.yaml"])
    return process_of(plan(found).files["config.yaml"])


@pytest.mark.parametrize("family", FULL)
def test_our_own_file_comes_back_as_the_same_training(family):
    made = plan(spec(family=family, **FULL[family]))
    assert again(made) == process_of(made.files["config.yaml"])


@pytest.mark.parametrize("key", sorted(ENGINE.families()))
def test_every_familys_file_is_read_as_that_family(key):
    made = plan(spec(family=key, base_model=None, sampling={"prompts": ["a dog"]}))
    found, _ = read(made.files["config.yaml"])
    assert found.family == key
    assert again(made) == process_of(made.files["config.yaml"])


@settings(max_examples=20, deadline=None)
@given(documents())
def test_any_training_comes_back_from_its_own_file(document):
    made = plan(spec(**document))
    assert again(made) == process_of(made.files["config.yaml"])


def test_json_is_read_too():
    found, _ = read(json.dumps(yaml_reading.load(TWENTY_FOUR)), "config.json")
    assert found.family == "flux"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("{name_or_path: /m, arch: sdxl}", "sdxl"),
        ("{name_or_path: /m, is_xl: true}", "sdxl"),
        ("{name_or_path: /m}", "sd15"),
        ("{name_or_path: /m, arch: 'zimage:turbo'}", "zimage:turbo"),
        ("{name_or_path: ostris/Flex.1-alpha, is_flux: true}", "flex1"),
        ("{name_or_path: Wan-AI/Wan2.1-T2V-1.3B-Diffusers, arch: wan21}", "wan21:1b"),
        ("{name_or_path: /my/wan, arch: wan21}", "wan21:14b"),
        ("{name_or_path: /m, arch: sd3}", "sd3"),
    ],
)
def test_the_family_is_known_by_arch_flag_and_model(model, family):
    text = f"config: {{name: x, process: [{{type: sd_trainer, network: {{}}, model: {model}}}]}}"
    assert read(text)[0].family == family


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "neither JSON nor YAML"),
        ("a: 1", "no config section"),
        ("config: {name: x}", "no process"),
        ("config: {process: [{type: to_folder}]}", "is a to_folder"),
        ("config: {process: [{type: sd_trainer}]}", "no network"),
        (
            "config: {process: [{type: sd_trainer, network: {}, datasets: {99999999: {}}}]}",
            "datasets must be a list",
        ),
        (
            "config: {process: [{type: sd_trainer, network: {}, sample: {samples: {a: {}}}}]}",
            "sample.samples must be a list",
        ),
        (
            "config: {process: [{type: sd_trainer, network: {}, model: {arch: flxu}}]}",
            "does not know",
        ),
        ("config: {process: [{type: sd_trainer, network: {type: lorm}}]}", "LoRM"),
        (
            "config: {process: [{type: sd_trainer, network: {}, model: {arch: pixart}}]}",
            "no model family",
        ),
    ],
)
def test_what_is_no_lora_training_says_why(text, words):
    with pytest.raises(NotAConfigError, match=words):
        import_config(text, "x.yaml")


@pytest.mark.parametrize(
    ("network", "type_", "rank"),
    [
        ("{type: lokr, linear: 8}", "lokr", 100_000),
        ("{type: lokr, linear: 8, lokr_full_rank: false}", "lokr", 8),
        ("{type: dora, linear: 8}", "lora", 8),
        ("{type: locon, linear: 8, conv: 4}", "locon", 8),
        ("{type: lora, rank: 6, linear: 8}", "lora", 6),
    ],
)
def test_a_network_is_read_as_the_engine_reads_it(network, type_, rank):
    text = (
        f"config: {{name: x, process: [{{type: sd_trainer, network: {network}, "
        "model: {name_or_path: /m}}]}"
    )
    found = read(text)[0].network
    assert (found.type, found.rank) == (type_, rank)


def test_a_linear_schedule_of_the_engine_still_ramps_up():
    text = (
        "config: {name: x, process: [{type: sd_trainer, network: {}, model: {name_or_path: /m}, "
        "train: {lr_scheduler: linear}}]}"
    )
    made = process_of(plan(read(text)[0]).files["config.yaml"])
    assert made["train"]["lr_scheduler_params"] == {"start_factor": 1 / 3, "end_factor": 1.0}


def test_old_accumulation_counted_batches_as_steps():
    text = (
        "config: {name: x, process: [{type: sd_trainer, network: {}, model: {name_or_path: /m}, "
        "train: {steps: 100, gradient_accumulation_steps: 8}, save: {save_every: null}}]}"
    )
    found, lines = read(text)
    assert (found.length.steps, found.batch.gradient_accumulation) == (13, 8)
    assert found.saving.every_steps == 13
    assert "translated train.steps -> length.steps" in lines


@pytest.mark.parametrize(
    "key", ['"[]"', '"[0]"', '"..."', '""', '"datasets[99999999]"', '"a.b"', "1.5"]
)
def test_a_key_that_no_path_can_name_is_dropped_with_a_line(key):
    text = (
        f"config: {{name: x, process: [{{type: sd_trainer, network: {{{key}: 1}}, "
        f"model: {{name_or_path: /m}}, {key}: {{a: 1}}}}]}}"
    )
    _, lines = read(text)
    bare = key.strip('"')
    assert f"dropped {bare}: no key of ai-toolkit is written so" in lines
    assert f"dropped network.{bare}: no key of ai-toolkit is written so" in lines
