"""Files by their names, and the state to go on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import SavedState
from engines.kohya_ss import output


@pytest.mark.parametrize(
    ("path", "kind", "step", "epoch"),
    [
        ("dog.safetensors", "lora", None, None),
        ("dog-000002.safetensors", "lora", None, 2),
        ("dog-step00000004.safetensors", "lora", 4, None),
        ("dog-000002-state", "state", None, 2),
        ("dog-state", "state", None, None),
        ("sample/dog_e000001_01_20261123133810_42.png", "sample", None, 1),
        ("sample/dog_000004_00_20261123133810.png", "sample", 4, None),
    ],
)
def test_files_are_known_by_their_names(path, kind, step, epoch):
    found = output.classify(path, "dog")
    assert (found.kind, found.step, found.epoch) == (kind, step, epoch)


@pytest.mark.parametrize(
    "path", ["cat.safetensors", "dog-x.safetensors", "dog-000002-state/model.safetensors"]
)
def test_other_files_are_nobodys(path):
    assert output.classify(path, "dog") is None


def state(path, whole=True, step=None):
    return SavedState(output.classify(path, "dog"), Path("/o") / path, whole, 0.0, step)


def test_the_newest_whole_epoch_is_the_one_to_go_on_from():
    states = [
        state("dog-000001-state"),
        state("dog-000003-state", whole=False),
        state("dog-000002-state"),
    ]
    point = output.resume_point(states, 4)
    assert (point.path.name, point.step, point.epoch) == ("dog-000002-state", 8, 2)


def test_a_bare_lora_or_a_state_of_a_step_is_never_gone_on_from():
    assert (
        output.resume_point([state("dog-000001.safetensors"), state("dog-step00000004-state")], 4)
        is None
    )


def test_a_finished_run_goes_on_from_its_last_state():
    states = [state("dog-000001-state"), state("dog-state", step=12)]
    point = output.resume_point(states, 4)
    assert (point.path.name, point.step, point.epoch) == ("dog-state", 12, 3)
