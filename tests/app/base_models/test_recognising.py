"""What a file is, told from its header alone."""

from __future__ import annotations

import json
import struct

import pytest

from app.base_models import check_local
from app.base_models.recognising import LARGEST_HEADER, recognise
from app.base_models.signatures import NETWORKS, PIPELINES, Model
from engines import families
from tests.support.models import OTHERS, SHAPES, content, write


@pytest.mark.parametrize("family", SHAPES)
def test_every_published_form_is_of_its_family_and_of_no_other_it_could_be_mixed_up_with(
    tmp_path, family
):
    path = write(tmp_path / "m.safetensors", SHAPES[family])
    found = recognise(path)
    assert found.kind == "model"
    assert family in found.families
    assert check_local(path, family) == ""
    for other in set(SHAPES) - set(found.families):
        assert f"not of the family {other}" in check_local(path, other)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("flux", "One of FLUX.1, FLUX.1-Kontext-dev"),
        ("sdxl", "such as Pony"),
        ("wan22_14b:t2v", "Wan 2.1"),
    ],
)
def test_kin_that_share_all_tensors_are_told_as_one_of_several(tmp_path, family, words):
    assert words in recognise(write(tmp_path / "m.safetensors", SHAPES[family])).says


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_model_is_named(tmp_path, kind):
    path = write(tmp_path / "m.safetensors", OTHERS[kind])
    assert recognise(path).kind == kind
    refused = check_local(path, "sdxl")
    assert bool(refused) is (kind != "unknown")


def test_a_lora_is_refused_as_base_model_with_its_rank(tmp_path):
    path = write(tmp_path / "mine.safetensors", OTHERS["lora"])
    assert "mine.safetensors is a LoRA of rank 16, not a base model" in check_local(path, "sdxl")


def test_every_family_that_a_signature_names_exists():
    known = families.families()
    named = {key for model in PIPELINES.values() for key in model.families}
    for signature in NETWORKS:
        for shape in ({}, {"img_in.weight": (4096, 1)}, {"patch_embedding.weight": (5120, 36, 1)}):
            model = signature.model(shape)
            assert isinstance(model, Model)
            named |= set(model.families)
    assert named <= set(known)


@pytest.mark.parametrize(
    ("dtype", "extra", "precision"),
    [
        ("F32", {}, "fp32"),
        ("BF16", {}, "bf16"),
        ("F8_E4M3", {}, "fp8"),
        ("F8_E4M3", {"double_blocks.0.img_attn.proj.scale_weight": "F32"}, "fp8, scaled"),
        ("U8", {"single_blocks.0.linear1.weight.quant_state.bitsandbytes__nf4": "U8"}, "nf4"),
    ],
)
def test_the_precision_shows(tmp_path, dtype, extra, precision):
    shapes = {**SHAPES["flux"], "double_blocks.1.img_attn.proj.weight": [64]}
    assert (
        recognise(write(tmp_path / "m.safetensors", shapes, dtype, **extra)).precision == precision
    )


def test_a_pickle_is_never_opened_and_says_why(tmp_path):
    path = tmp_path / "old.ckpt"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch " + bytes(str(tmp_path / "ran"), "ascii"))
    found = recognise(path)
    assert found.kind == "pickle"
    assert "cannot be looked into safely" in found.says
    assert not (tmp_path / "ran").exists()


def test_a_gguf_is_refused(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + bytes(20))
    assert "neither engine trains from" in check_local(path, "flux")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 8) + b"not json",
        struct.pack("<Q", 6000) + b"[" * 6000,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 24) + b'{"a":{"dtype":"F16"}}   ',
        content(SHAPES["flux"])[:-1],
        content(SHAPES["flux"]) + b"x",
    ],
)
def test_a_torn_or_lying_file_is_damaged_and_nothing_breaks(tmp_path, data):
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    found = recognise(path)
    assert found.kind == "broken"
    assert found.says.startswith("m.safetensors")
    assert "Download it again" in check_local(path, "flux")


def test_a_header_of_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", LARGEST_HEADER + 1))
        file.truncate(LARGEST_HEADER * 2)
    assert "too large" in recognise(path).problem


def test_a_diffusers_folder_tells_its_family(tmp_path):
    (tmp_path / "unet").mkdir()
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
    }
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "unet" / "config.json").write_text('{"cross_attention_dim": 1024}')
    assert recognise(tmp_path).families == ("sd2",)
    assert "is SD 2.x, not of the family sd15" in check_local(tmp_path, "sd15")
    (tmp_path / "model_index.json").write_text('{"_class_name": "NewPipeline"}')
    assert recognise(tmp_path).says == "Not recognised: a diffusers folder of New."


def test_what_cannot_be_read_is_broken_with_its_reason_and_a_torn_part_has_no_precision(tmp_path):
    gone = recognise(tmp_path / "gone.safetensors")
    assert (gone.kind, gone.problem) == (
        "broken", "gone.safetensors cannot be read: No such file or directory.",
    )  # fmt: skip
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/x.safetensors").write_bytes(b"torn")
    (tmp_path / "unet/config.json").write_text("[" * 100_000)
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline"}')
    folder = recognise(tmp_path)
    assert (folder.kind, folder.precision) == ("model", "")
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert recognise(tmp_path).families == ("sd15", "sd2"), "its U-Net's config tells nothing"
