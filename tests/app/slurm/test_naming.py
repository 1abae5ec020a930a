"""What an attempt is called in Slurm is made and read in one place."""

from __future__ import annotations

import pytest

from app.slurm.naming import name_of, read_marker, read_name

MARKER = "7.2." + "ab" * 16


def test_a_name_leads_back_to_its_attempt_and_so_does_the_mark():
    assert name_of(MARKER) == "lora-7.2-abababab"
    assert read_name(name_of(MARKER)) == read_marker(MARKER) == (7, 2)


@pytest.mark.parametrize(
    "text", ["", "lora-x.1-ab", "lora-7.2", "lora-7.2-ab-c", "7.2", "7.2.ab", MARKER + "0"]
)
def test_what_somebody_else_named_is_no_attempt_of_ours(text):
    assert read_name(text) is None
    assert read_marker(text) is None
