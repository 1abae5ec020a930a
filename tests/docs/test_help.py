"""What commands and scripts say of themselves when they are asked for help."""

from __future__ import annotations

import argparse
import subprocess

import pytest

from app.cli import _parser
from app.settings import ROOT

SCRIPTS = sorted(p for p in (ROOT / "scripts").glob("*.sh") if p.name != "environment.sh")


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
