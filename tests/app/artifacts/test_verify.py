"""A LoRA is sound when it loads and every number in it is finite."""

from __future__ import annotations

import math
import os
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from app.artifacts import Verdict, verify, verify_in_child
from tests.support.artifacts import lora, safetensors, tear


def test_a_sound_lora_tells_its_tensors_and_rank(tmp_path):
    assert verify(lora(tmp_path / "a.safetensors", rank=8)) == Verdict(True, "", 3, 8)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_is_found(tmp_path, number):
    verdict = verify(lora(tmp_path / "a.safetensors", spoil=number))
    assert not verdict.ok
    assert "1 of 3 tensors" in verdict.sentence


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("F32", [1.0, -3e38], [1.0, math.nan]),
        ("F64", [1.0, 1e300], [math.inf, 1.0]),
        ("BF16", [0x3F80, 0x7F7F], [0x3F80, 0x7FC0]),
    ],
)
def test_every_float_type_is_looked_through(tmp_path, dtype, good, bad):
    assert verify(safetensors(tmp_path / "good.safetensors", {"a": (dtype, good)})).ok
    assert not verify(safetensors(tmp_path / "bad.safetensors", {"a": (dtype, bad)})).ok


def test_the_last_number_of_a_tensor_larger_than_one_block_is_looked_at(tmp_path):
    numbers = np.ones(3_000_001, np.float32)
    path = tmp_path / "a.safetensors"
    assert verify(safetensors(path, {"a": ("F32", numbers)})).ok
    numbers[-1] = math.nan
    assert not verify(safetensors(path, {"a": ("F32", numbers)})).ok


def test_whole_numbers_are_no_floats(tmp_path):
    assert verify(safetensors(tmp_path / "a.safetensors", {"a": ("U8", [255, 127])})).ok


def test_a_torn_an_empty_and_a_missing_file_are_each_told_in_a_sentence(tmp_path):
    torn = verify(tear(lora(tmp_path / "torn.safetensors")))
    assert not torn.ok
    assert "torn" in torn.sentence
    nothing = verify(safetensors(tmp_path / "none.safetensors", {}))
    assert nothing.sentence == "none.safetensors holds no tensors."
    assert "cannot be read" in verify(tmp_path / "missing.safetensors").sentence


def test_the_child_process_says_the_same(tmp_path):
    path = lora(tmp_path / "a ' \" b.safetensors", rank=2)
    assert verify_in_child(path, 60) == Verdict(True, "", 3, 2)
    spoilt = lora(tmp_path / "b.safetensors", spoil=math.nan)
    assert verify_in_child(spoilt, 60) == verify(spoilt)


def test_a_check_that_takes_too_long_is_no_success(tmp_path):
    path = tmp_path / "pipe.safetensors"
    os.mkfifo(path)
    verdict = verify_in_child(path, 0.6)
    assert not verdict.ok
    assert "within 1 s" in verdict.sentence


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda: OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (lambda: "not what was asked for", "Expecting value"),
        (lambda: '{"nonsense": 1}', "nonsense"),
    ],
)
def test_a_check_that_could_not_be_made_is_no_success(tmp_path, monkeypatch, answers, why):
    def run(*_command, **_how):
        if isinstance(answer := answers(), OSError):
            raise answer
        return SimpleNamespace(returncode=0, stdout=answer, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    verdict = verify_in_child(tmp_path / "a.safetensors", 1)
    assert not verdict.ok
    assert verdict.sentence.startswith("a.safetensors could not be checked: ")
    assert why in verdict.sentence
