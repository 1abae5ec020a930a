"""Estimates of memory and disk: inside what trainers state, and never lower for more."""

from __future__ import annotations

import pytest

from engines import families, presets, sizing
from engines.base import DatasetFacts
from engines.spec import JobSpec


def spec(family="sdxl", **changes):
    document = {
        "name": "x", "family": family, "base_model": "b", "datasets": [{"path": "p"}],
        "length": {"steps": 1000}, **changes,
    }  # fmt: skip
    return JobSpec.model_validate(presets.complete(document, gpu=True))


@pytest.mark.parametrize(
    ("family", "quantize", "stated_gb"),
    [
        ("flux", "none", 30), ("flux", "qfloat8", 18), ("flux", "uint4", 13),
        ("sdxl", "none", 10), ("flux2_klein_4b", "none", 12), ("flux2_klein_9b", "none", 22),
    ],
)  # fmt: skip
def test_what_trainers_state_lies_in_the_range(family, quantize, stated_gb):
    found = sizing.vram(
        spec(family, memory={"quantize": quantize, "cache_text": "disk"}, network={"rank": 16})
    )
    assert found.low <= stated_gb <= found.high


def test_sd15_fits_a_card_of_8_gb_as_sd_scripts_says():
    assert sizing.vram(spec("sd15")).high < 8


def test_a_lora_of_sdxl_is_counted_layer_by_layer():
    # Known files: rank 32 in fp16 is 170 MB for the U-Net alone, 228 MB with both text encoders.
    alone = spec(network={"rank": 32}, saving={"precision": "fp16"})
    both = spec(
        network={"rank": 32}, saving={"precision": "fp16"},
        optimizer={"text_encoder_learning_rate": 1e-5},
    )  # fmt: skip
    assert sizing.checkpoint_bytes(alone).low == pytest.approx(170e6, rel=0.01)
    assert sizing.checkpoint_bytes(both).low == pytest.approx(228e6, rel=0.01)


@pytest.mark.parametrize("measure", [sizing.vram, sizing.checkpoint_bytes])
@pytest.mark.parametrize("family", ["sd15", "sdxl", "flux", "qwen_image"])
def test_more_rank_never_takes_less(family, measure):
    small, large = (measure(spec(family, network={"rank": rank})) for rank in (8, 64))
    assert (small.low, small.high) <= (large.low, large.high)


def test_more_pixels_and_pictures_never_take_less_and_fewer_bits_never_more():
    def need(memory=None, batch=1, edge=512):
        return sizing.vram(
            spec(
                "flux", memory={"quantize": "none", **(memory or {})}, batch={"size": batch},
                datasets=[{"path": "p", "resolution": [edge]}],
            )
        ).high  # fmt: skip

    plain = need()
    assert need(edge=1024) > plain
    assert need(batch=4) > plain
    assert need({"gradient_checkpointing": False}) > plain
    assert need({"quantize": "qfloat8"}) < plain
    assert need({"offload": 0.5}) < plain
    assert need({"cache_text": "disk"}) < plain


def test_latents_on_disk_count_every_picture_at_every_resolution():
    facts = (DatasetFacts(((1024, 1024, 10),)),)
    two = spec(
        datasets=[{"path": "p", "resolution": [512, 1024]}], memory={"cache_latents": "disk"}
    )
    assert sizing.latent_bytes(two, facts) == 10 * (64 * 64 + 128 * 128) * 4 * 4
    assert sizing.latent_bytes(spec(memory={"cache_latents": "memory"}), facts) == 0


def test_a_model_of_unknown_size_gets_no_figure():
    known = spec("ideogram4")
    assert sizing.vram(known) is None
    assert sizing.output_bytes(known, 1000, states=1) is None


def test_every_size_belongs_to_a_family():
    assert set(sizing._models()) <= set(families.families())


def test_a_rank_beyond_all_reason_is_estimated_like_a_full_one():
    endless, full = (
        spec(network={"rank": rank, "type": "locon", "conv_rank": rank})
        for rank in (10**400, 10**5)
    )
    assert sizing.vram(endless) == sizing.vram(full)
    assert sizing.checkpoint_bytes(endless) == sizing.checkpoint_bytes(full)
