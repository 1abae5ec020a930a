"""YAML for people."""

from __future__ import annotations

import pytest
import yaml

from app import yaml_text


@pytest.mark.parametrize(
    "document",
    [
        {
            "name": "dog",
            "a": [1, 2.5, None, True, "yes", "1e-4", ""],
            "b": {},
            "c": {"x": {"y": []}},
        },
        {"prompt": "ein Hündchen, 子犬, " * 20},
        {"prompt": "a 🐕 on a beach"},
        {"two": "first\nsecond\n", "end": "a\n\n", "tab": "\t- x: y # z"},
    ],
)
def test_it_reads_back_as_it_was_and_nothing_is_spelt_out(document):
    text = yaml_text.dump(document)
    assert yaml.safe_load(text) == document
    assert text == yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
