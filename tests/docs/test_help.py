"""What commands and scripts say of themselves when they are asked for help."""

from __future__ import annotations

import argparse
import re
import subprocess

import pytest

from app.cli import _parser
from app.settings import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SOURCED = ("environment.sh", "help.sh")
SCRIPTS = sorted(p for p in (ROOT / "scripts").glob("*.sh") if p.name not in SOURCED)


def commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (a.choices for a in _parser()._actions if isinstance(a.choices, dict))
    return choices


def test_every_command_says_what_it_does_and_what_each_of_its_words_is():
    mute = [name for name, parser in commands().items() if not parser.description]
    mute += [
        f"{name} {action.dest}"
        for name, parser in commands().items()
        for action in parser._actions
        if not action.help
    ]
    assert len(commands()) > 10
    assert mute == []


def wrong_commands(text: str) -> list[str]:
    """Commands and options of ours that a text names and that are not there."""
    known = {
        name: {option for action in parser._actions for option in action.option_strings}
        for name, parser in commands().items()
    }
    # In a row such as "show N | logs -f N" only the first has the program's name before it.
    told = re.findall(r"vast-lora +([a-z]+)\b((?: +(?:--?[a-z][\w-]*|[A-Z0-9][\w.]*))*)", text)
    return [
        f"{name} {word}"
        for name, words in told
        for word in ["", *re.findall(r"(?<= )--?[a-z][\w-]*", words)]
        if name not in known or (word and word not in known[name])
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_script_that_a_document_names_is_there(path):
    text = path.read_text("utf-8")
    assert wrong_commands(text) == []
    scripts = set(re.findall(r"(?<![\w/])(?:\./)?(scripts/[\w/]+\.(?:sh|py|ps1))", text))
    assert sorted(name for name in scripts if not (ROOT / name).exists()) == []


def test_a_command_or_an_option_that_is_not_there_is_found():
    text = "vast-lora run SPEC.yaml --card 12, `vast-lora dance`, vast-lora retry 3 --slowly"
    assert wrong_commands(text) == ["dance ", "retry --slowly"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_that_is_asked_for_help_prints_its_head_and_does_nothing_else(script, tmp_path):
    told = subprocess.run(
        ["bash", script, "--help"],
        capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    head = script.read_text("utf-8").splitlines()[1]
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(head.removeprefix("# ") + "\n")
    assert "set -euo" not in told.stdout
    assert list(tmp_path.iterdir()) == []
