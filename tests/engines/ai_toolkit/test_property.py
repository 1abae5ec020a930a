"""Any plannable spec comes out of the file as it went in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from engines.ai_toolkit import AiToolkit
from tests.engines.ai_toolkit.builders import process, refused, spec

FAMILIES = sorted(AiToolkit().families() - {"sdxl", "sd15"})
RATES = some.floats(min_value=1e-8, max_value=10, allow_nan=False)
WORDS = some.text(
    some.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60
).filter(lambda text: not any(mark in text for mark in ("${", "--", "[name]", "[", "]", "*", "?")))


@some.composite
def documents(draw):
    """Parts of a spec that any flow-matching family can be given."""
    pictures = {
        "path": f"/data/{draw(WORDS)}",
        "repeats": draw(some.integers(1, 10_000)),
        "caption_dropout": draw(some.floats(0, 1)),
        "flip": draw(some.booleans()),
        "resolution": draw(some.lists(some.integers(16, 8192), min_size=1, max_size=4)),
    }
    return {
        "name": draw(some.from_regex(r"\A[xyz0-9][A-Za-z0-9_.-]{0,79}\Z")),
        "family": draw(some.sampled_from(FAMILIES)),
        "trigger_word": draw(WORDS),
        "datasets": [pictures] * draw(some.integers(1, 3)),
        "network": {"rank": draw(some.integers(1, 99_999)), "alpha": draw(RATES)},
        "optimizer": {"learning_rate": draw(RATES), "weight_decay": draw(some.floats(0, 1))},
        "length": {"steps": draw(some.integers(1, 10_000_000))},
        "batch": {"size": draw(some.integers(1, 1024))},
        "saving": {"every_steps": draw(some.integers(1, 10**6))},
        "sampling": {
            "prompts": draw(some.lists(WORDS, max_size=4)),
            "seed": draw(some.integers(0, 2**40)),
        },
        "seed": draw(some.integers(0, 2**32 - 1)),
    }


@settings(max_examples=60, deadline=None)
@given(documents())
def test_what_was_asked_is_what_the_file_says(document):
    asked = spec(**document)
    assert refused(asked) == {}
    made = process(asked)
    assert made["network"]["linear"] == asked.network.rank
    assert made["network"]["linear_alpha"] == asked.network.alpha
    assert made["train"]["lr"] == asked.optimizer.learning_rate
    assert made["train"]["optimizer_params"]["weight_decay"] == asked.optimizer.weight_decay
    assert made["train"]["steps"] == asked.length.steps
    assert made["train"]["batch_size"] == asked.batch.size
    assert made["save"]["save_every"] == asked.saving.every_steps
    assert made["training_seed"] == asked.seed
    assert made["trigger_word"] == asked.trigger_word
    for written, dataset in zip(made["datasets"], asked.datasets, strict=True):
        assert written["folder_path"] == dataset.path
        assert written["num_repeats"] == dataset.repeats
        assert written["caption_dropout_rate"] == dataset.caption_dropout
        assert tuple(written["resolution"]) == dataset.resolution
    for written, prompt in zip(made["sample"]["samples"], asked.sampling.prompts, strict=True):
        assert written["prompt"].endswith(prompt)
        assert asked.trigger_word.lower() in written["prompt"].lower()
