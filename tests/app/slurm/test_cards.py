"""The memory of a GPU is known from its type, from a setting, or it is said that it is not."""

from __future__ import annotations

import pytest

from app.slurm.cards import memory_of, parse, smallest


@pytest.mark.parametrize(
    ("kind", "gb"),
    [
        ("rtx4090", 24), ("4090", 24), ("nvidia_geforce_rtx_4090", 24), ("RTX_A6000", 48),
        ("nvidia_a100-sxm4-80gb", 80), ("nvidia_a100_80gb_pcie", 80), ("a100-80gb", 80),
        ("tesla_v100-sxm2-32gb", 32), ("tesla_t4", 16), ("nvidia_l40s", 48), ("a100_40g", 40),
        ("gtx_1080_ti", 11), ("2080ti", 11), ("nvidia_rtx_6000_ada_generation", 48),
        ("quadro_rtx_6000", 24), ("nvidia_h200", 141), ("nvidia_h100_80gb_hbm3", 80),
        ("1g.5gb", 5), ("nvidia_a100_3g.20gb", 20), ("a40", 48), ("rtx5090", 32),
    ],
)  # fmt: skip
def test_types_as_clusters_name_them(kind, gb):
    memory = memory_of(kind, {})
    assert (memory.gb, memory.sure) == (gb, True)


def test_a_model_of_several_sizes_counts_as_the_smallest_and_says_so():
    memory = memory_of("a100", {})
    assert (memory.gb, memory.sure) == (40, False)
    assert "40 GB and 80 GB" in memory.source


@pytest.mark.parametrize("kind", ["", "gpu", "tesla", "mi250", "rtx", "unheard-of-3000"])
def test_nobody_guesses(kind):
    assert memory_of(kind, {}) is None


def test_the_setting_wins():
    told = parse("A100:80, my-card:12.5")
    assert memory_of("a100", told).gb == 80
    assert memory_of("My-Card", told).gb == 12.5
    assert memory_of("a100", told).sure


@pytest.mark.parametrize("text", ["a100", "a100:", ":80", "a100:much", "a100:0"])
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match="a100:80,rtx4090:24"):
        parse(text)


def test_the_smallest_is_known_only_if_all_are():
    assert smallest(["rtx4090", "a40"], {}).memory.gb == 24
    assert smallest(["rtx4090", "mystery", ""], {}).unknown == ("mystery", "without a type")
    assert smallest(["rtx4090", "mystery"], {}).memory is None
    assert smallest([], {}).memory is None
