"""Norms of what a LoRA adds, and what two checkpoints differ by, against the product written out."""

from __future__ import annotations

import io

import numpy as np
import pytest

from app.artifacts import lora_facts, norms, read_header, sums
from app.errors import UserError
from app.settings import Settings
from app.tasks import Work
from tests.support.artifacts import lora, safetensors


def work(tmp_path, **arguments):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path / "data")})
    return Work(1, arguments, settings, tell=io.StringIO(), log=tmp_path / "log")


def pair(tmp_path, rank=(4, 6)):
    rng = np.random.default_rng(3)
    files, products = [], []
    for number, size in enumerate(rank):
        down, up = rng.normal(size=(size, 8, 3, 3)), rng.normal(size=(5, size, 1, 1))
        stem = "lora_unet_down_blocks_2_attn"
        files.append(
            safetensors(
                tmp_path / f"{number}.safetensors",
                {
                    f"{stem}.lora_down.weight": ("F64", down),
                    f"{stem}.lora_up.weight": ("F64", up),
                    f"{stem}.alpha": ("F64", np.array(2.0)),
                },
            )
        )
        products.append(up.reshape(5, size) @ down.reshape(size, -1) * 2.0 / size)
    return files, products


def test_norms_are_those_of_the_product_also_between_different_ranks(tmp_path):
    (first, second), (a, b) = pair(tmp_path)
    job = work(tmp_path, first=str(first), second=str(second))
    norms.run(job)
    (change,) = norms.cached(job.settings.cache_dir, first, second)
    assert change.first == pytest.approx(np.linalg.norm(a))
    assert change.second == pytest.approx(np.linalg.norm(b))
    assert change.moved == pytest.approx(np.linalg.norm(a - b))
    assert norms.by_block([change])[0].name == "unet down_blocks 2"
    assert norms.total([change, change]).first == pytest.approx(change.first * 2**0.5)
    second.write_bytes(first.read_bytes())
    assert norms.cached(job.settings.cache_dir, first, second) is None


def test_a_torn_file_is_told_and_leaves_no_result(tmp_path):
    (first, second), _ = pair(tmp_path)
    second.write_bytes(b"torn")
    with pytest.raises(UserError, match="torn while written"):
        norms.run(work(tmp_path, first=str(first), second=str(second)))
    assert norms.cached(tmp_path / "data/cache", first, second) is None


def test_what_a_header_tells(tmp_path):
    path = lora(tmp_path / "a.safetensors", rank=4)
    facts = lora_facts.facts(path, read_header(path))
    assert (facts.rank, facts.alpha, facts.precision, facts.kind) == (4, 4.0, "fp16", "LoRA")
    assert (facts.modules, facts.numbers) == (1, 64)
    assert [block.name for block in lora_facts.blocks(read_header(path))] == ["unet down_blocks 0"]


@pytest.mark.parametrize(
    ("key", "block"),
    [
        ("diffusion_model.double_blocks.11.img_attn.qkv.lora_A.weight", "double_blocks 11"),
        ("transformer.transformer_blocks.3.attn.to_q.lora_B.weight", "transformer_blocks 3"),
        ("lora_te1_text_model_encoder_layers_7_mlp_fc1.alpha", "te1 text_model_encoder_layers 7"),
        ("lora_unet_input_blocks_4_1_proj_in.lora_up.weight", "unet input_blocks 4"),
        ("lora_unet_out_2.hada_w1_a", "other"),
    ],
)
def test_keys_are_grouped_by_block(key, block):
    assert lora_facts.block_of(key) == block


def test_a_sum_is_kept_until_the_file_changes(tmp_path):
    path = lora(tmp_path / "a.safetensors")
    job = work(tmp_path, path=str(path))
    assert sums.cached(job.settings.cache_dir, path) == ""
    assert sums.run(job)["sha256"] == sums.cached(job.settings.cache_dir, path)
    path.write_bytes(b"other")
    assert sums.cached(job.settings.cache_dir, path) == ""
