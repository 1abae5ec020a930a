"""Operations on many captions, as plain values; and patterns that would never end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets import bulk, patterns
from app.datasets.bulk import Entry, Operation

CASES = [
    ("prefix", "photo of ", "", "a dog", "photo of a dog"),
    ("prefix", "x", "", None, "x"),
    ("suffix", ", grass", "", "a dog\n", "a dog, grass"),
    ("replace", "dog", "cat", "a dog, dogs", "a cat, cats"),
    ("replace", "dog", "cat", None, None),
    ("pattern", r"(\w+) dog", r"\1 cat", "big dog", "big cat"),
    ("add_first", "ohwx", "", "a dog, ohwx", "ohwx, a dog"),
    ("add_first", "one, two", "", None, "one, two"),
    ("add_last", "a dog, grass", "", "a dog", "a dog, grass"),
    ("remove_tag", "A Dog", "", "a dog, grass", "grass"),
    ("remove_tag", "dog", "", "a dog, grass", "a dog, grass"),
    ("remove_tag", "a dog", "", "a dog", None),
    ("underscores", "", "", "long_hair, ^_^, a_(b)", "long hair, ^_^, a (b)"),
    ("sort", "1", "", "ohwx, b, A", "ohwx, A, b"),
    ("dedupe", "", "", "a, b, A, b", "a, b"),
    ("trigger", "ohwx", "", "an OHWX dog", "an OHWX dog"),
    ("trigger", "dog", "", "hotdogs", "dog, hotdogs"),
    ("from_name", "", "", None, "red fox"),
    ("from_name", "", "", "kept", "kept"),
    ("delete", "", "", "a dog", None),
]


@pytest.mark.parametrize(("kind", "text", "other", "before", "after"), CASES)
def test_an_operation_makes_of_a_caption(kind, text, other, before, after):
    entry = Entry(1, "sub/red_fox-003.png", before)
    changes = bulk.changes(Operation(kind, text, other), [entry])
    assert (changes[0].after if changes else before) == after


@pytest.mark.parametrize(
    "kind", sorted(set(bulk.KINDS) - {"prefix", "suffix", "replace", "pattern"})
)
@settings(max_examples=25, deadline=None)
@given(tags=st.lists(st.sampled_from(["a", "b", "A", "long_hair", "a b"]), max_size=6))
def test_done_twice_it_changes_nothing_more(kind, tags):
    entry = Entry(1, "x_1.png", ", ".join(tags) or None)
    operation = Operation(kind, "" if kind == "sort" else "a, c")
    for change in bulk.changes(operation, [entry]):
        entry = change.entry._replace(caption=change.after)
    assert bulk.changes(operation, [entry]) == []


def test_what_lacks_its_text_is_refused_by_name():
    with pytest.raises(bulk.OperationError, match="Tags"):
        bulk.changes(Operation("remove_tag", " "), [])
    with pytest.raises(bulk.OperationError, match="Choose"):
        bulk.changes(Operation("nonsense"), [])
    with pytest.raises(bulk.OperationError, match="whole number"):
        bulk.changes(Operation("sort", "two"), [Entry(1, "a.png", "b, a")])


def test_a_pattern_that_would_run_for_ever_is_ended_and_named():
    begin = time.monotonic()
    with pytest.raises(patterns.PatternError, match=r"takes more than 0\.2 s"):
        patterns.substitute(r"(a+)+$", "x", ["a" * 60 + "!"], seconds=0.2)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(("pattern", "replacement", "why"), [
    ("", "", "Write a pattern"), ("(dog", "", "cannot be read"), ("dog", r"\1", "replacement"),
    ("(dog)", r"\2", "replacement"), ("x" * 501, "", "at most 500"), ("(?P<a>d)", r"\g<b>", "replacement"),
])  # fmt: skip
def test_a_pattern_that_is_none_is_refused_before_a_process_starts(pattern, replacement, why):
    with pytest.raises(patterns.PatternError, match=why):
        patterns.check(pattern, replacement)


@pytest.mark.parametrize(
    ("ends", "why"),
    [("raise MemoryError", "MemoryError"), ("import os; os.kill(os.getpid(), 9)", "-9")],
)
def test_a_pattern_whose_process_dies_says_how(monkeypatch, ends, why):
    monkeypatch.setattr(patterns, "_PROGRAM", ends)
    with pytest.raises(patterns.PatternError, match=rf"could not be used: .*{why}\. Nothing was"):
        patterns.substitute("dog", "cat", ["a dog"])
