"""Epochs in steps, counted as the engine's own list of pictures is built."""

from __future__ import annotations

import pytest

from engines.ai_toolkit.length import bucket
from engines.base import UnsupportedError
from tests.engines.ai_toolkit.builders import facts, plan, spec


def steps(sizes, *, epochs=1, dataset=None, **given):
    made = plan(
        spec(
            datasets=[{"path": "/d", "resolution": [512], **(dataset or {})}],
            length={"epochs": epochs},
            **given,
        ),
        datasets=(facts(*sizes),),
    )
    return made.total_steps, made.steps_per_epoch


def test_an_epoch_is_every_picture_times_its_repeats():
    assert steps([(512, 512, 7)], epochs=3, dataset={"repeats": 2}) == (42, 14)


def test_flip_and_each_resolution_use_every_picture_once_more():
    assert steps([(512, 512, 5)], dataset={"flip": True, "resolution": [256, 512]}) == (20, 20)


def test_a_bucket_that_is_not_full_fills_its_last_batch():
    assert steps([(512, 512, 5), (512, 768, 1)], batch={"size": 4}) == (3, 3)


def test_without_buckets_pictures_of_all_shapes_make_one_batch():
    sizes = [(512, 512, 5), (512, 768, 1)]
    assert steps(sizes, batch={"size": 4}, buckets={"enabled": False}) == (2, 2)


def test_accumulated_batches_are_one_step_and_rounding_is_up():
    assert steps([(512, 512, 5)], epochs=3, batch={"gradient_accumulation": 2}) == (8, 3)


def test_regularisation_pictures_take_every_other_step():
    made = plan(
        spec(
            datasets=[
                {"path": "/d", "resolution": [512]},
                {"path": "/r", "resolution": [512], "regularisation": True},
            ],
            length={"epochs": 2},
            saving={"every_steps": 4},
        ),
        datasets=(facts((512, 512, 5)), facts((512, 512, 50))),
    )
    # Ten are needed: 0, 4, 8 and 12 save, so they train on the pictures, as do all odd ones.
    assert made.total_steps == 13
    assert any("regularisation" in note for note in made.notes)


def test_steps_are_taken_as_they_are_and_epochs_shown():
    made = plan(spec(length={"steps": 25}), datasets=(facts((512, 512, 10)),))
    assert (made.total_steps, made.epochs, made.steps_per_epoch) == (25, 3, 10)


def test_epochs_without_a_look_at_the_pictures_are_a_documented_guess():
    made = plan(spec(length={"epochs": 3}))
    assert made.total_steps == 300
    assert any("100 steps each" in note for note in made.notes)


def test_epochs_of_an_empty_folder_cannot_be_counted():
    with pytest.raises(UnsupportedError) as caught:
        plan(spec(length={"epochs": 3}), datasets=(facts(),))
    assert caught.value.refusals[0].field == "length.epochs"


@pytest.mark.parametrize(
    ("size", "resolution", "divisor", "expected"),
    [
        ((64, 64), 64, 16, (64, 64)),
        ((1024, 1024), 512, 16, (512, 512)),
        ((300, 200), 512, 16, (288, 208)),
        ((4000, 100), 512, 32, (3264, 64)),
    ],
)
def test_buckets_keep_the_shape_and_never_enlarge(size, resolution, divisor, expected):
    assert bucket(*size, resolution, divisor) == expected
