"""A job's name: kept where it is one, else the nearest; the next in a row always fits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import naming


@pytest.mark.parametrize(("text", "name"), [
    ("ohwx dog", "ohwx-dog"), ("a - b", "a-b"), ("_foo!", "foo"), ("kept--as_it.is.", "kept--as_it.is."),
    ("犬", ""), ("", ""), ("..", ""),
])  # fmt: skip
def test_the_nearest_name_is_readable_and_a_name_stays_as_it_is(text, name):
    assert naming.nearest(text) == name


@given(st.text())
def test_what_comes_out_is_a_name_or_nothing(text):
    found = naming.nearest(text)
    assert found == "" or re.fullmatch(naming.PATTERN, found)


@pytest.mark.parametrize(("name", "after"), [
    ("dog", "dog-2"), ("dog-2", "dog-3"), ("dog-9", "dog-10"), ("a" * 80, "a" * 78 + "-2"),
    ("a" * 78 + "-9", "a" * 77 + "-10"), ("dog-", "dog--2"), ("-2", "-2-2"), ("dog-²", "dog-²-2"),
])  # fmt: skip
def test_the_following_name_counts_on_and_is_never_too_long(name, after):
    assert naming.following(name) == after
