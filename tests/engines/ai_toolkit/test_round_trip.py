"""The engine's own examples lose nothing on their way in and out again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from app.jobs import importing
from engines.ai_toolkit.importing import import_config
from engines.ai_toolkit.reading.source import flatten, load
from tests.support.roundtrip import is_found, leaves, travel

UPSTREAM = sorted(
    Path(os.environ.get("AI_TOOLKIT_DIR", "/nowhere")).glob("config/examples/train_lora_*.y*ml")
)


@pytest.mark.engine
@pytest.mark.skipif(not UPSTREAM, reason="not set: AI_TOOLKIT_DIR")
@pytest.mark.parametrize("path", UPSTREAM, ids=lambda path: path.stem)
def test_an_example_of_the_engine_makes_the_round_trip(path):
    if "omnigen2" in path.name:
        with pytest.raises(importing.NotImportableError, match="line 65, column 16"):
            travel(path)
        return
    trip = travel(path)
    assert trip.complaints == ()
    assert len(set(trip.told)) == len(trip.told)
    values = [*trip.values(), *leaves(trip.document)]
    process = load(path.read_text("utf-8"))["config"]["process"][0]
    told = {re.sub(r"\[\d+\]$", "", name) for name in trip.told}
    lost = [
        key
        for key, value in flatten(process).items()
        if key not in told and not all(is_found(leaf, values) for leaf in plain(value))
    ]
    assert lost == []


def plain(value):
    """Leaves without the lists themselves."""
    return [leaf for leaf in leaves(value) if not isinstance(leaf, list)] or [value]


def test_options_behind_a_prompt_are_kept_with_it_and_unknown_ones_told():
    text = native_with("sample", {"prompts": ["a hat --ctrl_img /c/1.jpg --zz 3"]})
    found = import_config(text, "x.yaml")
    sample = found.document["engine_options"]["ai-toolkit"]["sample"]["samples"][0]
    assert sample == {"ctrl_img": "/c/1.jpg"}
    assert "translated sample.prompts[0] -> sampling.prompts: --zz is left out" in found.lines


def native_with(section, values):
    process = {
        "type": "sd_trainer", "network": {"type": "lora", "linear": 4},
        "model": {"arch": "flux_kontext", "name_or_path": "a/b"}, "train": {"steps": 10},
        section: values,
    }  # fmt: skip
    return json.dumps({"job": "extension", "config": {"name": "x", "process": [process]}})
