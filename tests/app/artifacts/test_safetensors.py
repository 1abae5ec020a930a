"""The header of a safetensors file: whole or torn, metadata, rank."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from app.artifacts import TornSafetensorsError, read_header
from tests.support.artifacts import lora, safetensors, tear


def test_a_whole_file_tells_its_tensors_metadata_and_rank(tmp_path):
    path = lora(tmp_path / "a.safetensors", rank=16, metadata={"ss_output_name": "a"})
    header = read_header(path)
    assert header.rank == 16
    assert header.metadata == {"ss_output_name": "a"}
    assert header.tensors["lora_unet_down_blocks_0.lora_down.weight"][:2] == ("F16", (16, 8))


def test_a_file_of_the_safetensors_library_is_read_alike(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(
        {"a.lora_A.weight": np.ones((8, 4), np.float32), "b": np.ones((), np.float64)}, str(path)
    )
    header = read_header(path)
    assert header.rank == 8
    assert set(header.tensors) == set(load_file(str(path)))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.5, 0.9, 0.999])
def test_a_torn_checkpoint_is_not_taken_for_whole(tmp_path, share):
    path = tear(lora(tmp_path / "a.safetensors", rank=64), share)
    with pytest.raises(TornSafetensorsError, match=r"a\.safetensors"):
        read_header(path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F16", "shape": [3], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]}},
        {"a": {"dtype": "F16", "shape": [-2], "data_offsets": [0, -4]}},
        {"a": {"dtype": "F16", "shape": [2]}},
        {"a": 7},
        [1, 2],
        "text",
    ],
)
def test_a_header_that_the_library_would_refuse_is_refused(tmp_path, header):
    text = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(TornSafetensorsError):
        read_header(path)


def test_a_web_page_saved_as_a_model_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_text("<!doctype html><title>Sign in</title>" * 20)
    with pytest.raises(TornSafetensorsError, match="no whole safetensors file"):
        read_header(path)


def test_the_rank_is_what_most_layers_show_and_none_without_lora_tensors(tmp_path):
    down = {f"{n}.lora_down.weight": ("F16", np.ones((4, 8))) for n in "abc"}
    down["conv.lora_down.weight"] = ("F16", np.ones((2, 8, 3, 3)))
    assert read_header(safetensors(tmp_path / "a.safetensors", down)).rank == 4
    plain = {"unet.weight": ("F16", np.ones((4, 4)))}
    assert read_header(safetensors(tmp_path / "b.safetensors", plain)).rank is None
