"""The kohya habit of folder names is understood and never required."""

from __future__ import annotations

import pytest

from engines import presets
from engines.folders import kohya_habit


@pytest.mark.parametrize(
    ("path", "repeats", "concept"),
    [
        ("10_ohwx dog", 10, "ohwx dog"),
        ("/data/img/3_tok_shape/", 3, "tok_shape"),
        (r"C:\img\20_sks", 20, "sks"),
    ],
)
def test_a_number_before_the_first_underscore_is_the_repeats(path, repeats, concept):
    assert kohya_habit(path) == (repeats, concept)


@pytest.mark.parametrize("path", ["dog", "dog_10", "_dog", "10_", "0_dog", "10-dog", ""])
def test_an_ordinary_name_says_nothing(path):
    assert kohya_habit(path) is None


def test_a_folder_name_gives_the_repeats_only_where_none_were_asked_for():
    document = {
        "family": "sdxl",
        "datasets": [{"path": "/d/10_dog"}, {"path": "/d/10_dog", "repeats": 2}],
    }
    completed = presets.complete(document, gpu=True)
    assert [dataset["repeats"] for dataset in completed["datasets"]] == [10, 2]
    assert "repeats" not in document["datasets"][0]
