"""Where a model's text points, and what cannot be one."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from app.base_models import Hub, Local, check_local, resolve


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/m/x.safetensors", Local(Path("/m/x.safetensors"))),
        ("owner/name", Hub("owner/name")),
        ("owner/name-1.5/sub/x.safetensors", Hub("owner/name-1.5", "sub/x.safetensors")),
        ("mine.safetensors", Local(Path("/d/models/mine.safetensors"))),
        ("folder/mine.safetensors", Local(Path("/d/models/folder/mine.safetensors"))),
    ],
)
def test_the_form_of_a_text_tells_where_it_points(text, place):
    assert resolve(text, Path("/d")) == place


def write(path, names, cut=0):
    header, at = {}, 0
    for name in names:
        header[name] = {"dtype": "F32", "shape": [2, 2], "data_offsets": [at, at + 16]}
        at += 16
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(at)
    path.write_bytes(data[: len(data) - cut])
    return path


def test_a_sound_file_is_fine(tmp_path):
    assert check_local(write(tmp_path / "m.safetensors", ["model.x"]), "sd15") == ""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "none", "There is no"),
        (lambda p: write(p / "a.safetensors", ["model.x"], cut=3), "torn"),
        (
            lambda p: write(p / "l.safetensors", ["x.lora_down.weight", "x.lora_up.weight"]),
            "is a LoRA",
        ),
    ],
)
def test_what_is_no_base_model_is_told(tmp_path, make, words):
    assert words in check_local(make(tmp_path), "sd15")


def test_a_folder_without_its_index_is_no_diffusers_model(tmp_path):
    assert "empty folder" in check_local(tmp_path, "sd15")
    (tmp_path / "x").write_text("")
    assert "no model_index.json" in check_local(tmp_path, "sd15")
    assert check_local(tmp_path, None) == ""
