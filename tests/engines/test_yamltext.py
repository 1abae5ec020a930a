"""YAML by libyaml: the same documents as from the reader in Python, and an answer to whatever comes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engines import yamltext

REPLAY = Path(__file__).parents[1] / "replay" / "ai_toolkit"
GOLDEN = Path(__file__).parent / "ai_toolkit" / "golden"
CONFIGS = sorted([*GOLDEN.glob("*.yaml"), *REPLAY.glob("*/config.yaml")])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_both_readers_read_the_same(path):
    text = path.read_text("utf-8")
    assert yamltext.read(text) == yaml.load(text, Loader=yaml.SafeLoader)


def test_there_are_configs_to_compare():
    assert len(CONFIGS) > 3


@pytest.mark.parametrize(
    "text",
    ["a: 1\r\nb: [x, y]\r\n", "\ufeffa: 1\n", "a: &x {b: 1}\nc: {<<: *x, d: 2}\n", "a: 1\na: 2\n",
     "a: |\n  ein Hündchen 🐕\n  子犬\n", "%YAML 1.2\n---\na: 010\n", "a: 1:30\nb: no\nc: ~\n", ""],
)  # fmt: skip
def test_odd_texts_too(text):
    assert yamltext.read(text) == yaml.load(text, Loader=yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "plain", "native"),
    [("1e-4", "1e-4", 1e-4), ("1e5", "1e5", 1e5), ("1.5e-3", 1.5e-3, 1.5e-3), ("'1e-4'", "1e-4", "1e-4")],
)  # fmt: skip
def test_a_bare_exponent_is_a_number_where_the_engine_takes_it_for_one(text, plain, native):
    assert yamltext.read(f"a: {text}") == {"a": plain}
    assert yamltext.read(f"a: {text}", exponents=True) == {"a": native}


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000 + "]" * 100_000, "{a: " * 50_000 + "1" + "}" * 50_000, "- " * 50_000 + "1",
     "a:\r" + "- " * 50_000 + "1", "a: &x [*x, {}]", "a: &x {b: *x}", "[" * 150 + "]" * 150],
    ids=["lists", "groups", "dashes", "dashes-after-a-carriage-return", "itself", "itself-in-a-group",
         "not-so-deep"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_an_error_and_no_crash(text):
    """libyaml alone ends the whole process here."""
    with pytest.raises(yamltext.TooDeepError):
        yamltext.read(text)


@pytest.mark.parametrize("leaf", ["{x: 1}", "{}", "[]", "[[]]"])
def test_aliases_that_stand_for_billions_of_values_are_refused_at_once(leaf):
    lines = [f"a0: &a0 {leaf}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(yamltext.TooLargeError, match="more than 20000 values"):
        yamltext.read("\n".join(lines))


@pytest.mark.parametrize(
    "value",
    ["2020-13-45", "9" * 5000, "!!int abc", "!!int ''", "!!float abc", "!!float ''", "!!bool perhaps",
     "!!timestamp soon", "!!python/object:os.system {}", "\x00"],
)  # fmt: skip
def test_a_value_that_cannot_be_made_is_an_error_of_the_text(value):
    with pytest.raises(yaml.YAMLError):
        yamltext.read(f"a: {value}")


def test_groups_are_not_counted_and_a_list_of_plain_values_is_one():
    assert yamltext.count({"a": 1, "b": [1, 2, 3], "c": {"d": [{"e": 1}, 2], "f": {}}}) == 4
