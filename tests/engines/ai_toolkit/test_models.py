"""What each family adds to the file: its own settings, quantisation, offloading, two stages."""

from __future__ import annotations

from tests.engines.ai_toolkit.builders import plan, process, spec


def test_a_family_brings_what_the_engines_own_form_sets_for_it():
    turbo = process(spec(family="zimage:turbo", memory={"quantize": "qfloat8"}))
    assert turbo["model"]["assistant_lora_path"].startswith("ostris/zimage_turbo")
    assert turbo["model"]["arch"] == "zimage:turbo"
    assert turbo["model"]["low_vram"] is True
    assert turbo["train"]["timestep_type"] == "weighted"
    hidream = process(spec(family="hidream"))
    assert hidream["network"]["network_kwargs"] == {
        "ignore_if_contains": ["ff_i.experts", "ff_i.gate"]
    }
    assert process(spec(family="krea2"))["train"]["noise_scheduler"] == "flowmatch"


def test_low_vram_goes_with_the_saving_of_memory_only():
    made = process(spec(family="qwen_image", memory={"quantize": "none"}))
    assert (made["model"]["quantize"], made["model"]["low_vram"]) == (False, False)
    assert "qtype" not in made["model"]


def test_three_bits_bring_the_accuracy_recovery_adapter():
    model = process(spec(family="qwen_image", memory={"quantize": "uint3"}))["model"]
    assert model["qtype"].startswith("uint3|ostris/accuracy_recovery_adapters/qwen_image_")


def test_offloading_names_the_share_of_both_parts():
    model = process(spec(family="qwen_image", memory={"quantize": "qfloat8", "offload": 0.5}))[
        "model"
    ]
    assert model["layer_offloading"] is True
    assert model["layer_offloading_transformer_percent"] == 0.5
    assert model["layer_offloading_text_encoder_percent"] == 0.5


def test_a_model_in_two_stages_ends_in_two_files():
    given = spec(family="wan22_14b:t2v", memory={"quantize": "uint4"})
    assert plan(given).final == "ohwx-dog/ohwx-dog_low_noise.safetensors"
    one = {"model": {"model_kwargs": {"train_low_noise": False}}}
    given = spec(family="wan22_14b:t2v", engine_options={"ai-toolkit": one})
    assert plan(given).final == "ohwx-dog/ohwx-dog_high_noise.safetensors"
    joined = {"network": {"split_multistage_loras": False}}
    given = spec(family="wan22_14b:t2v", engine_options={"ai-toolkit": joined})
    assert plan(given).final == "ohwx-dog/ohwx-dog.safetensors"
