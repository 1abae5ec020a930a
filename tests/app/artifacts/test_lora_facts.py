"""What a list tells of a LoRA file: read once, and again when the file is another."""

from __future__ import annotations

import pytest

from app.artifacts import TornSafetensorsError, lora_facts
from tests.support.artifacts import safetensors


def write(path, rank, **metadata):
    return safetensors(path, {"a.lora_down.weight": ("F16", [[0.0, 0.0]] * rank)}, metadata)


def glance(path):
    stat = path.stat()
    return lora_facts.glance(path, stat.st_size, stat.st_mtime)


def test_a_file_is_read_once_and_anew_when_it_was_written_anew(tmp_path):
    path = write(tmp_path / "dog.safetensors", 4)
    first = glance(path)
    assert first[0].rank == 4
    assert glance(path) is first
    write(path, 8)
    assert glance(path)[0].rank == 8


def test_a_torn_file_is_looked_at_again(tmp_path):
    path = write(tmp_path / "dog.safetensors", 4)
    whole, stat = path.read_bytes(), path.stat()
    path.write_bytes(whole[:-1])
    with pytest.raises(TornSafetensorsError):
        lora_facts.glance(path, stat.st_size, stat.st_mtime)
    path.write_bytes(whole)
    assert lora_facts.glance(path, stat.st_size, stat.st_mtime)[0].rank == 4


def test_long_metadata_is_cut_in_a_list(tmp_path):
    path = write(tmp_path / "dog.safetensors", 4, ss_tag_frequency="dog " * 100_000)
    assert len(glance(path)[1]["ss_tag_frequency"]) == lora_facts.SHOWN


def test_an_alpha_in_the_metadata_that_is_no_number_is_read_from_the_tensors(tmp_path):
    tensors = {"a.lora_down.weight": ("F16", [[0.0, 0.0]] * 4), "a.alpha": ("F32", [8.0])}
    path = safetensors(tmp_path / "dog.safetensors", tensors, {"ss_network_alpha": "as the rank"})
    assert glance(path)[0].alpha == 8.0
