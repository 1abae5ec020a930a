"""Messages a person can act on, at the field they belong to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.jobs.sentences import explain
from engines.spec import JobSpec

GOOD = {
    "name": "dog", "family": "sd15", "base_model": "a/b",
    "datasets": [{"path": "d"}], "length": {"steps": 10},
}  # fmt: skip


def errors(**changes):
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate({**GOOD, **changes})
    return explain(caught.value)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": "a b"}, "name", "letters, digits, dot, dash and underscore"),
        ({"name": "my dog!"}, "name", "'my dog!' has something else. Take 'my-dog', for example."),
        ({"name": "\N{DOG FACE}"}, "name", "'\N{DOG FACE}' has something else."),
        ({"name": "a" * 500}, "name", "At most 80 characters; this has 500."),
        ({"length": {"steps": 10**9}}, "length.steps", "at most 10\u202f000\u202f000."),
        ({"batch": {"size": "9" * 300 + "x"}}, "batch.size", f"'{'9' * 80}...' is not."),
        ({"name": "../x"}, "name", "letters, digits"),
        ({"length": {"steps": 0}}, "length.steps", "at least 1"),
        ({"length": {"steps": 5, "epochs": 5}}, "length", "not both"),
        ({"length": {}}, "length", "either steps or epochs"),
        ({"optimizer": {"learning_rate": "abc"}}, "optimizer.learning_rate", "must be a number; 'abc' is not"),
        ({"optimizer": {"learning_rate": "nan"}}, "optimizer.learning_rate", "ordinary number"),
        ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate", "more than 0"),
        ({"network": {"rank": "four"}}, "network.rank", "whole number; 'four' is not"),
        ({"network": {"rank": 4, "size": 1}}, "network.size", "no field 'size'"),
        ({"datasets": [{"repeats": 2}]}, "datasets.0.path", "needed"),
        ({"datasets": [{"path": "d", "resolution": [4]}]}, "datasets.0.resolution", "at least 16"),
        ({"memory": {"cache_latents": "tape"}}, "memory.cache_latents", "Choose"),
        ({"engine_options": {"comfy": {}}}, "engine_options", "is no engine"),
        ({"resume": "perhaps"}, "resume", "Choose"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_at_its_field(changes, field, sentence):
    found = errors(**changes)
    assert list(found) == [field]
    assert sentence in found[field]


def test_a_length_that_is_left_out_is_asked_for_by_both_its_names():
    with pytest.raises(ValidationError) as refused:
        JobSpec.model_validate({name: value for name, value in GOOD.items() if name != "length"})
    assert explain(refused.value) == {"length": "Give either steps or epochs."}


def test_numbers_written_as_text_are_numbers():
    spec = JobSpec.model_validate({**GOOD, "optimizer": {"learning_rate": "1e-4"}, "seed": "7"})
    assert (spec.optimizer.learning_rate, spec.seed) == (1e-4, 7)
