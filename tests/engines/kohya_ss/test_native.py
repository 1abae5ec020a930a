"""Native keys among the engine options."""

from __future__ import annotations

import pytest

from tests.engines.kohya_ss.test_plan import refused, spec


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (5, ""), ({"datasets": 5}, ".datasets"), ({"datasets": [5]}, ".datasets"), ({"general": [1]}, ".general"),
        ({"general": {1: 2}}, ".general"), ({"datasets": [{"subsets": 5}]}, ".datasets.0.subsets"),
        ({"datasets": [{"subsets": [None]}]}, ".datasets.0.subsets"), ({"subsets": []}, ""),
        ({"datasets": [{"validation_seed": None}]}, ".datasets.0.validation_seed"),
        ({"general": {"face_crop_aug_range": [1, None]}}, ".general.face_crop_aug_range"),
        # What stands beyond the last one would be left out of the file.
        ({"datasets": [{}, {"validation_seed": 1}]}, ".datasets"),
        ({"datasets": [{"subsets": [{}, {"color_aug": True}]}]}, ".datasets.0.subsets"),
    ],
)  # fmt: skip
def test_dataset_options_of_another_shape_or_beyond_the_datasets_are_refused(given, place):
    found = refused(spec(engine_options={"kohya_ss": {"dataset": given}}))
    assert list(found) == [f"engine_options.kohya_ss.dataset{place}"]
