"""What counts as a whole model in the Hugging Face cache, and on this disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.base_models import check_local, resolve
from app.base_models.cache import cache_folder, is_cached, missing_components
from tests.support.artifacts import lora, safetensors, tear, torch_zip

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "safety_checker": ["stable_diffusion", "Checker"],
    "image_encoder": [None, None],
    "requires_safety_checker": True,
}


def snapshot(cache, files, repo="a/b"):
    """A cache entry as huggingface_hub lays it out: links to blobs."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(files.items()):
        blob = folder / "blobs" / f"{number:040x}"
        blob.write_text(content)
        path = folder / "snapshots" / "c0ffee" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(blob)
    return folder


def test_weights_make_a_snapshot_whole_and_a_readme_does_not(tmp_path):
    snapshot(tmp_path, {"README.md": "x", "config.json": "{}"})
    assert not is_cached(tmp_path, "a/b")
    snapshot(tmp_path, {"sub/model.safetensors": "x"}, "a/c")
    assert is_cached(tmp_path, "a/c")
    assert not is_cached(tmp_path, "a/none")


def test_a_diffusers_snapshot_needs_every_component_it_lists(tmp_path):
    files = {"model_index.json": json.dumps(INDEX), "unet/x.safetensors": "x"}
    folder = snapshot(tmp_path, files)
    assert not is_cached(tmp_path, "a/b")
    (folder / "snapshots" / "c0ffee" / "vae").mkdir()
    assert missing_components(folder / "snapshots" / "c0ffee") == ["vae"]
    (folder / "snapshots" / "c0ffee" / "vae" / "x.safetensors").write_text("x")
    assert is_cached(tmp_path, "a/b")


def test_a_link_whose_blob_was_deleted_is_not_there(tmp_path):
    folder = snapshot(tmp_path, {"model.safetensors": "x"})
    assert is_cached(tmp_path, "a/b", "model.safetensors")
    for blob in (folder / "blobs").iterdir():
        blob.unlink()
    assert not is_cached(tmp_path, "a/b")
    assert not is_cached(tmp_path, "a/b", "model.safetensors")


def test_odd_names_are_not_cached_and_no_error(tmp_path):
    for repo in ("a/\0", "x" * 5000, "../..", ""):
        assert not is_cached(tmp_path, repo)


def test_the_cache_is_where_the_trainer_looks(tmp_path):
    assert cache_folder(tmp_path, None) == tmp_path / "hub"
    assert cache_folder(tmp_path, "/c") == Path("/c")
    assert cache_folder(None, None) == Path("~/.cache/huggingface/hub").expanduser()


def diffusers(folder, *components):
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    for name in components:
        safetensors(folder / name / "model.safetensors", {"x": ("F16", [1, 2, 3])})
    return folder


def test_a_folder_that_lacks_a_component_or_holds_a_torn_file_is_told(tmp_path):
    assert check_local(diffusers(tmp_path / "whole", "unet", "vae"), "sd15") == ""
    assert "lacks vae" in check_local(diffusers(tmp_path / "half", "unet"), "sd15")
    torn = diffusers(tmp_path / "torn", "unet", "vae")
    tear(torn / "vae" / "model.safetensors")
    assert "vae/model.safetensors" in check_local(torn, "sd15")
    (tmp_path / "torn" / "model_index.json").write_text("[")
    assert "model_index.json cannot be read" in check_local(torn, "sd15")
    (tmp_path / "torn" / "model_index.json").write_text("[]")
    assert "model_index.json cannot be read" in check_local(torn, "sd15")


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors", "model.gguf"])
def test_an_empty_file_is_no_model(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert "is empty" in check_local(tmp_path / name)


def test_a_torn_checkpoint_of_torch_is_told(tmp_path):
    path = torch_zip(tmp_path / "model.ckpt")
    assert check_local(path) == ""
    assert "incomplete" in check_local(tear(path))


def test_a_lora_is_no_base_model(tmp_path):
    assert "is a LoRA" in check_local(lora(tmp_path / "a.safetensors"))


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_path_that_can_be_none_is_told_and_no_crash(tmp_path, name):
    assert check_local(tmp_path / name, "sd15")


def test_a_home_of_nobody_is_a_path_like_any_other(tmp_path):
    place = resolve("~nobody-of-that-name/x.safetensors", tmp_path)
    assert "~nobody-of-that-name" in str(place.path)
