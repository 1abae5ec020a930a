"""What the form greys out: found by asking the engines, checked against what is known of them."""

from __future__ import annotations

import pytest

from engines import abilities, families
from engines.abilities import limits
from engines.fields import table

BOTH = ("ai-toolkit", "kohya_ss")
PAIRS = [
    (key, name)
    for key, family in families.families().items()
    for name in family.engines
    if name in BOTH
]


@pytest.mark.parametrize(
    ("family", "engine", "field", "words"),
    [
        ("sdxl", "kohya_ss", "ema.enabled", "has no EMA"),
        ("sdxl", "kohya_ss", "ema.decay", "has no EMA"),
        ("sdxl", "ai-toolkit", "buckets.step", "no such setting"),
        ("sdxl", "ai-toolkit", "datasets[].keep_tags", "keeps none"),
        ("sdxl", "ai-toolkit", "memory.attention", "computes attention by sdpa"),
        ("flux", "ai-toolkit", "network.conv_alpha", "no convolutions of flux"),
        ("flux", "auto", "loss.min_snr_gamma", "kohya_ss ignores min-SNR"),
        ("sd15", "kohya_ss", "memory.cache_text", "cannot cache captions for sd15"),
        ("sd15", "kohya_ss", "loss.timestep_sampling", "no choice of timesteps"),
        ("hunyuan_image", "auto", "optimizer.text_encoder_learning_rate", "cannot train the text"),
    ],
)
def test_a_field_that_an_engine_lacks_is_unavailable_in_its_own_words(family, engine, field, words):
    assert words in limits(family, engine).unavailable[field]


@pytest.mark.parametrize(
    ("family", "engine", "field"),
    [
        ("sdxl", "ai-toolkit", "network.conv_rank"),
        ("sdxl", "kohya_ss", "network.conv_alpha"),
        ("sdxl", "ai-toolkit", "optimizer.text_encoder_learning_rate"),
        ("sdxl", "kohya_ss", "datasets[].keep_tags"),
        ("flux", "kohya_ss", "memory.offload"),
        ("flux", "kohya_ss", "network.conv_rank"),
        ("flux", "ai-toolkit", "loss.guidance"),
        ("qwen_image", "ai-toolkit", "memory.quantize"),
        ("sdxl", "auto", "ema.enabled"),
    ],
)
def test_a_field_that_can_be_had_in_some_way_stays_open(family, engine, field):
    assert field not in limits(family, engine).unavailable


def test_single_choices_are_refused_where_others_of_the_field_can_be_had():
    of = limits("sdxl", "ai-toolkit")
    assert {*of.values["network.type"]} == {"loha", "dora"}
    assert {*of.values["memory.cache_text"]} == {"memory"}
    assert "prodigy" not in of.values["optimizer.name"]
    assert "polynomial" in of.values["optimizer.scheduler"]
    assert {*limits("sdxl", "kohya_ss").values["memory.attention"]} == {"flash"}


def test_without_a_chosen_engine_the_only_one_that_can_is_named():
    of = limits("sdxl", "auto")
    assert (of.only["ema.enabled"], of.only["buckets.step"]) == ("ai-toolkit", "kohya_ss")
    assert of.only_values["network.type"] == {"loha": "kohya_ss", "dora": "kohya_ss"}
    assert limits("qwen_image", "auto").only == {}


def test_a_field_without_a_name_in_any_engine_of_the_family_cannot_be_set():
    """The field table says which native key a field becomes; no key, no choice."""
    free = {path: row for path, row in table().items() if row.section in ("buckets", "ema")}
    for path, row in free.items():
        for engine in BOTH:
            open_ = path not in limits("sdxl", engine).unavailable
            assert open_ == bool(row.native[engine]), (path, engine)


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_every_family_keeps_what_a_lora_cannot_do_without(family, engine):
    needed = {
        "network.rank", "network.alpha", "optimizer.name", "optimizer.learning_rate", "batch.size",
        "saving.every_steps", "sampling.prompts", "datasets[].repeats", "datasets[].resolution", "seed",
    }  # fmt: skip
    own = families.families()[family].ai_toolkit
    if engine == "ai-toolkit" and own and not own.scales_by_alpha:
        needed.remove("network.alpha")
    of = limits(family, engine)
    assert needed & {*of.unavailable} == set()
    assert "lora" not in of.values["network.type"]
    assert "adamw8bit" not in of.values["optimizer.name"]
    assert all(text.endswith(".") for text in of.unavailable.values())


def test_an_unknown_family_or_an_engine_that_does_not_train_it_has_no_limits():
    assert limits("sd99", "auto").unavailable == {}
    assert limits("qwen_image", "kohya_ss").unavailable == {}


def test_parts_follow_the_engine():
    assert abilities.parts("flux", "kohya_ss") == {"clip_l": True, "t5xxl": True, "ae": True}
    assert abilities.parts("flux", "ai-toolkit") == {"vae": False}
    assert abilities.parts("sd99", "kohya_ss") == {}
