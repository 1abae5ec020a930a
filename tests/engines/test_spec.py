"""The canonical spec: what it takes, what it refuses, and what it makes of text."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from engines.spec import JobSpec, ResumeFrom

LEAST = {
    "name": "dog",
    "family": "sdxl",
    "base_model": "a/b",
    "datasets": [{"path": "d"}],
    "length": {"steps": 10},
}


def spec(**given) -> JobSpec:
    return JobSpec.model_validate({**LEAST, **given})


def test_the_example_of_the_design_is_a_spec():
    text = """
version: 1
name: ohwx-dog
engine: auto
family: sdxl
base_model: stabilityai/stable-diffusion-xl-base-1.0
components: {}
trigger_word: ohwx dog
datasets:
  - {path: dog, repeats: 10, caption_extension: .txt, caption_dropout: 0.05, shuffle_tags: false,
     keep_tags: 0, flip: false, regularisation: false, resolution: [1024]}
buckets: {enabled: true, min: 256, max: 2048, step: 64, upscale: false}
network: {type: lora, rank: 32, alpha: 16, conv_rank: null, conv_alpha: null, dropout: 0.0}
optimizer: {name: adamw8bit, learning_rate: 1.0e-4, text_encoder_learning_rate: null,
            weight_decay: 0.01, arguments: {}, scheduler: cosine, warmup_steps: 100}
length: {steps: 2000}
batch: {size: 1, gradient_accumulation: 1}
memory: {mixed_precision: bf16, quantize: none, gradient_checkpointing: true, cache_latents: disk,
         cache_text: none, offload: 0.0, attention: sdpa}
loss: {min_snr_gamma: null, noise_offset: 0.0, timestep_sampling: null, guidance: null}
ema: {enabled: false, decay: 0.99}
saving: {every_steps: 250, keep: 4, precision: fp16}
sampling: {every_steps: 250, steps: 20, guidance: 7.0, width: 1024, height: 1024, seed: 42,
           prompts: ["..."]}
resume: auto
seed: 42
gpus: 1
engine_options: {}
"""
    found = JobSpec.model_validate(yaml.safe_load(text))
    assert found.network.rank == 32
    assert found.missing() == {}


@pytest.mark.parametrize("rate", ["1e-4", "0.0001", 1e-4])
def test_a_number_written_as_text_is_a_number(rate):
    assert spec(optimizer={"learning_rate": rate}).optimizer.learning_rate == 1e-4


def test_yaml_reads_a_bare_no_as_the_word():
    memory = yaml.safe_load("{mixed_precision: no}")
    assert spec(memory=memory).memory.mixed_precision == "no"


def test_rank_has_no_upper_bound():
    assert spec(network={"type": "lokr", "rank": 100_000}).network.rank == 100_000


def test_one_resolution_may_stand_without_a_list():
    assert spec(datasets=[{"path": "d", "resolution": 512}]).datasets[0].resolution == (512,)


@pytest.mark.parametrize(
    "given",
    [
        {"length": {}},
        {"length": {"steps": 1, "epochs": 1}},
        {"length": {"steps": 0}},
        {"name": "a b"},
        {"name": "../x"},
        {"name": "-x"},
        {"colour": "red"},
        {"network": {"rnak": 4}},
        {"network": {"rank": 0}},
        {"optimizer": {"learning_rate": float("nan")}},
        {"optimizer": {"learning_rate": float("inf")}},
        {"engine": "other"},
        {"engine_options": {"other": {}}},
        {"resume": "later"},
        {"seed": -1},
        # Half of a character, which cannot be written into a file.
        {"optimizer": {"arguments": {"a": "\ud800"}}},
        {"engine_options": {"kohya_ss": {"config": {"training_comment": "\ud800"}}}},
        # Larger than anything can be reckoned with.
        {"saving": {"every_steps": 10**400}},
        {"sampling": {"every_steps": 10**400}},
        {"sampling": {"seed": 2**64}},
        {"optimizer": {"warmup_steps": 10**400}},
    ],
)
def test_nonsense_is_refused(given):
    with pytest.raises(ValidationError):
        spec(**given)


def test_a_resume_may_name_a_job_or_a_path():
    for source in (3, "/loras/a.safetensors"):
        found = spec(resume={"from": source}).resume
        assert isinstance(found, ResumeFrom)
        assert found.source == source


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        spec().name = "other"


def test_what_an_import_leaves_open_is_told_by_field():
    found = spec(base_model=None, datasets=[])
    assert set(found.missing()) == {"base_model", "datasets"}
    reg = spec(datasets=[{"path": "r", "regularisation": True}])
    assert set(reg.missing()) == {"datasets"}


def test_it_comes_back_from_its_own_document():
    found = spec(resume={"from": 3}, engine_options={"ai-toolkit": {"train": {"x": [1]}}})
    assert JobSpec.model_validate(found.model_dump(by_alias=True)) == found
