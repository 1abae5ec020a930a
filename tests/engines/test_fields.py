"""The field table that form, preview and documentation are drawn from."""

from __future__ import annotations

import pytest

from engines.fields import table, title_of

ROWS = list(table().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_every_field_has_a_title_one_sentence_of_help_and_both_names(row):
    assert row.title
    assert row.help.endswith(".") or row.path in ("version", "datasets")
    assert set(row.native) in ({"ai-toolkit", "kohya_ss"}, set())


def test_fields_of_a_dataset_stand_under_a_pair_of_brackets():
    assert "datasets[].repeats" in table()
    assert table()["datasets[].repeats"].section == "datasets"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("network.rank", "integer"),
        ("optimizer.learning_rate", "number"),
        ("ema.enabled", "switch"),
        ("network.type", "choice"),
        ("sampling.prompts", "list"),
        ("components", "mapping"),
        ("trigger_word", "text"),
        ("network.conv_rank", "integer"),
    ],
)
def test_a_field_knows_its_kind(path, kind):
    assert table()[path].kind == kind


def test_bounds_choices_and_optional_fields_are_told():
    rank, dropout = table()["network.rank"], table()["network.dropout"]
    assert (rank.minimum, rank.maximum) == (1, None)
    assert (dropout.minimum, dropout.maximum) == (0, 1)
    assert table()["network.type"].choices == ("lora", "locon", "loha", "lokr", "dora")
    assert table()["network.conv_rank"].optional
    assert table()["name"].required
    assert not table()["network.rank"].required


def test_a_title_is_the_path_where_there_is_no_field():
    assert title_of("network.rank") == "Rank"
    assert title_of("no.such") == "no.such"
