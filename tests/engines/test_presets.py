"""Defaults by family and card: what they are, and that they can always be planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import abilities, families, presets, sizing
from engines.adapter import ENGINES
from engines.base import Workspace
from engines.fields import table
from engines.presets import ladder
from engines.spec import JobSpec

SPACE = Workspace(
    native=Path("/run/native"),
    output=Path("/run/output"),
    logs=Path("/run/logs"),
    home=Path("/engine"),
    python="/engine/python",
    gpus=(0,),
)
PAIRS = [(key, engine) for key, family in families.families().items() for engine in family.engines]


CARD_GB = 2**30 / 1e9
"""What the makers of cards call a GB, in GB."""
PROMPTS = {"sampling.prompts": ["a dog"]}
CHANGING = {"datasets[].caption_dropout": 0.1, "datasets[].shuffle_tags": True}


def takes(family: str, engine: str, asked: dict) -> bool:
    """Whether a person may ask it of the engine, so that defaults have to stand beside it."""
    spec = JobSpec.model_validate(abilities.probe(family, engine, asked))
    return not ENGINES[engine].refusals(spec)


def document(family: str, *, prompts: bool = True, **given) -> dict:
    kohya = families.families()[family].kohya
    return {
        "name": "dog-1",
        "family": family,
        "base_model": "/models/base",
        "datasets": [{"path": "/data/dog"}],
        "length": {"steps": 100},
        "sampling": {"prompts": ["a dog"] if prompts else []},
        "components": {name: f"/models/{name}" for name in kohya.components} if kohya else {},
        **given,
    }


def spec(family: str, engine: str, vram_gb: float | None, *, gpu: bool = True, **given) -> JobSpec:
    """The completed document, with the parts that the engine takes."""
    asked = document(family, prompts=takes(family, engine, PROMPTS), engine=engine, **given)
    filled = presets.complete(asked, gpu=gpu, vram_gb=vram_gb)
    return JobSpec.model_validate({**filled, "components": components(family, engine)})


def components(family: str, engine: str) -> dict[str, str]:
    return {name: f"/models/{name}" for name in ENGINES[engine].parts(family)}


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_the_defaults_of_every_card_can_be_planned_and_the_engine_knows_every_key(family, engine):
    adapter, seen = ENGINES[engine], set()
    for vram_gb in (None, 6, *ladder.cards_gb(), 180):
        given = spec(family, engine, vram_gb)
        plan = adapter.plan(given, SPACE)
        if tuple(plan.files.values()) not in seen:
            seen.add(tuple(plan.files.values()))
            assert adapter.complaints(given, plan.files, adapter.shipped_options()) == (), vram_gb


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_every_family_has_an_answer_for_every_card_with_a_source_or_none(family, engine):
    for card in ladder.cards_gb():
        found = ladder.preset(family, engine, card)
        assert found.sentence.endswith(".")
        assert bool(found.values) == bool(found.source)
        if found.fits is None and not found.values:
            assert "No source" in found.sentence


def test_a_card_too_small_is_told_with_the_size_that_sources_speak_of():
    found = ladder.preset("hidream", "ai-toolkit", 24)
    assert (found.fits, "48 GB and more" in found.sentence) == (False, True)
    assert ladder.preset("flux", "kohya_ss", 12).price == "slower, less detail"


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_defaults_for_no_engine_in_particular_suit_each_of_them(family, engine):
    prompts = takes(family, engine, PROMPTS)
    for vram_gb in (None, *ladder.cards_gb()):
        filled = presets.complete(document(family, prompts=prompts), gpu=True, vram_gb=vram_gb)
        filled["components"] = components(family, engine)
        assert ENGINES[engine].refusals(JobSpec.model_validate(filled)) == (), vram_gb


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_without_a_gpu_they_can_be_planned_too(family, engine):
    given = spec(family, engine, None, gpu=False)
    assert ENGINES[engine].refusals(given) == ()
    assert (given.optimizer.name, given.memory.quantize) == ("adamw", "none")


@pytest.mark.parametrize(("family", "engine"), [p for p in PAIRS if takes(*p, CHANGING)])
def test_they_leave_room_for_captions_that_change_and_whole_numbers(family, engine):
    pictures = [{"path": "/data/dog", "caption_dropout": 0.1, "shuffle_tags": True}]
    for vram_gb in ladder.cards_gb():
        given = spec(family, engine, vram_gb, datasets=pictures, memory={"mixed_precision": "no"})
        assert given.memory.cache_text == "none"
        assert ENGINES[engine].refusals(given) == ()


def test_what_the_document_says_is_never_changed():
    given = document("sdxl", network={"rank": 7}, batch={"size": 3}, memory={"cache_text": "none"})
    before = repr(given)
    filled = presets.complete(given, gpu=True, vram_gb=8)
    assert repr(given) == before
    assert filled["network"]["rank"] == 7
    assert (filled["batch"]["size"], filled["memory"]["cache_text"]) == (3, "none")


@pytest.mark.parametrize(
    ("vram_gb", "card"),
    [(4, 8), (7.6, 8), (11.99, 12), (15.7, 16), (22.5, 24), (23.6, 24), (31.4, 32), (44.5, 32),
     (47.5, 48), (79.2, 80), (141, 80)],
)  # fmt: skip
def test_a_card_is_known_by_what_it_reports(vram_gb, card):
    assert ladder.card_of(vram_gb) == card


def test_a_small_card_gets_a_smaller_adapter_and_a_large_one_more_pictures():
    assert spec("sdxl", "kohya_ss", 8).network.rank == 8
    assert spec("sdxl", "kohya_ss", 8).memory.cache_text == "disk"
    assert spec("sdxl", "kohya_ss", 24).batch.size == 2
    assert spec("sdxl", "kohya_ss", 32).batch.size == 4
    assert spec("flux", "kohya_ss", 12).memory.offload == 0.46
    assert spec("qwen_image", "ai-toolkit", 24).memory.quantize == "uint3"
    assert spec("qwen_image", "ai-toolkit", 80).memory.quantize == "none"


@pytest.mark.parametrize("family", [key for key in families.families() if sizing.size_of(key)])
def test_what_a_card_is_given_by_itself_fits_it_also_at_the_upper_end_of_the_estimate(family):
    able = families.families()[family].engines
    for card in ladder.cards_gb():
        for engine in (*able, "auto"):
            taking = [name for name in able if engine in ("auto", name)]
            stated = [ladder.smallest_card_gb(family, name) for name in taking]
            if None in stated and not ladder.memory_rows(family, card):
                continue  # nobody speaks of it, so nothing is set, and the page says so
            if any(gb and card < gb for gb in stated):
                continue  # the page says that it will probably not fit
            need = sizing.vram(
                spec(family, engine, card) if engine != "auto" else both(family, card)
            )
            # On the smallest card that trainers speak of their word counts; the page says that it is tight.
            bound = need.low if card in stated else need.high
            assert bound <= card * CARD_GB, (card, engine)


def both(family: str, vram_gb: float) -> JobSpec:
    """The document of someone who leaves the engine open."""
    filled = presets.complete(document(family, prompts=False), gpu=True, vram_gb=vram_gb)
    return JobSpec.model_validate(filled)


def test_an_alpha_that_was_left_open_keeps_its_proportion_to_the_rank():
    given = spec("sdxl", "kohya_ss", 24, network={"rank": 128})
    assert (given.network.rank, given.network.alpha) == (128, 64)
    assert spec("sdxl", "kohya_ss", 24, network={"alpha": 1}).network.alpha == 1


def test_an_optimizer_that_finds_its_rate_gets_one():
    assert (
        spec("sdxl", "ai-toolkit", 24, optimizer={"name": "Prodigy"}).optimizer.learning_rate == 1.0
    )


def test_every_row_has_a_source_and_every_memory_row_its_price_and_the_label():
    assert "UNTESTED" in ladder.label()
    for key in families.families():
        for card in ladder.cards_gb():
            for row in ladder.memory_rows(key, card):
                assert row.source
                assert row.price
                assert set(row.values) <= set(table())
        recipe = ladder.recipe(key)
        assert recipe is None or recipe.source
    choices = presets.explain(document("zimage:turbo"), gpu=True, vram_gb=12)
    offload = next(choice for choice in choices if choice.path == "memory.offload")
    assert (offload.untested, offload.price) == (True, "slower, less detail")


def test_the_smallest_card_is_told_where_the_sources_speak_of_one():
    assert ladder.smallest_card_gb("flux", "kohya_ss") == 8
    assert ladder.smallest_card_gb("flux", "ai-toolkit") == 24
    assert ladder.smallest_card_gb("boogu_image", "ai-toolkit") is None


def test_an_unknown_family_is_left_as_it_is():
    assert presets.complete({"family": "sd99"}, gpu=True, vram_gb=24) == {"family": "sd99"}
