"""The list of model families: its groups, and what is said against each on this machine."""

from __future__ import annotations

import pytest

from app.web import family_choice
from engines import families

BOTH = ("kohya_ss", "ai-toolkit")


def against(key, installed=BOTH, card_gb=24):
    found = family_choice.groups(installed, card_gb)
    return next(entry.against for group in found.values() for entry in group if entry.key == key)


def test_each_family_stands_once_the_often_trained_first_and_the_others_by_name():
    groups = family_choice.groups(BOTH, None)
    keys = [entry.key for group in groups.values() for entry in group]
    assert sorted(keys) == sorted(families.families())
    assert keys[: len(families.FIRST)] == list(families.FIRST)
    assert list(groups) == [
        "Often trained", "Pictures", "Edits by instruction", "Video", "Music", "Experimental",
    ]  # fmt: skip
    for name, group in groups.items():
        labels = [entry.label.lower() for entry in group]
        assert name == "Often trained" or labels == sorted(labels)


def test_within_a_group_those_that_can_be_trained_here_come_first():
    groups = family_choice.groups(("ai-toolkit",), 12)
    marks = {name: [bool(entry.against) for entry in group] for name, group in groups.items()}
    assert marks == {name: sorted(found) for name, found in marks.items()}
    assert sorted(marks["Pictures"]) != [False] * len(marks["Pictures"])
    often = [entry.key for entry in groups["Often trained"] if not entry.against]
    assert often == [key for key in families.FIRST if key in often]
    first = [entry.label.lower() for entry in groups["Pictures"] if not entry.against]
    assert first == sorted(first)


@pytest.mark.parametrize(
    ("key", "installed", "card_gb", "words"),
    [
        ("sdxl", BOTH, 24, ""),
        ("hidream", BOTH, 24, "48 GB and more"), ("hidream", BOTH, 47.5, ""), ("hidream", BOTH, None, ""),
        ("flux", BOTH, 8, ""), ("flux", ("ai-toolkit",), 12, "24 GB and more"),
        ("qwen_image", ("kohya_ss",), 12, "needs ai-toolkit, 24 GB and more"),
        ("sd2", ("ai-toolkit",), 24, "needs kohya_ss"), ("sd2", (), 24, ""),
        ("boogu_image", BOTH, 8, ""),
    ],
)  # fmt: skip
def test_a_family_says_which_engine_and_which_card_it_lacks(key, installed, card_gb, words):
    assert against(key, installed, card_gb) == words
