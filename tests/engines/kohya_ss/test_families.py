"""What a family needs of sd-scripts beside what was asked for."""

from __future__ import annotations

import pytest

from engines.adapter import ENGINES
from tests.engines.kohya_ss.test_plan import config, refused, spec


@pytest.mark.parametrize(
    ("family", "base", "most"),
    [("sd3", "/m/sd3.5_medium.safetensors", 22), ("sd3", "/m/SD3.5_Large.safetensors", 36), ("sd3", "/m/my.ckpt", 22),
     ("flux", "/m/flux-large.safetensors", 35)],
)  # fmt: skip
def test_no_more_blocks_are_swapped_than_the_smallest_model_of_that_name_has(family, base, most):
    wanted = spec(family, base_model=base, memory={"offload": 1.0})
    assert config(wanted)["blocks_to_swap"] == most


@pytest.mark.parametrize(
    ("family", "sampling"),
    [("flux", "flux_shift"), ("chroma", "sigmoid"), ("lumina2", "nextdit_shift"), ("anima", None), ("sd15", None)],
)  # fmt: skip
def test_timesteps_are_sampled_as_the_engine_documents_it_for_the_family(family, sampling):
    assert config(spec(family)).get("timestep_sampling") == sampling
    if sampling:
        other = spec(family, loss={"timestep_sampling": "uniform"})
        assert config(other)["timestep_sampling"] == "uniform"


@pytest.mark.parametrize(("edge", "smallest"), [(32, 256), (512, 32)])
def test_buckets_without_a_whole_step_are_told_before_the_engine_divides_by_zero(edge, smallest):
    small = {"enabled": True, "upscale": True, "min": smallest, "step": 64}
    wanted = spec(datasets=[{"path": "/a", "resolution": [edge]}], buckets=small)
    assert "32 px leaves no whole step" in refused(wanted)["buckets.step"]
    rule = ENGINES["kohya_ss"].bucket_rule(edge, wanted.buckets, 16)
    assert min(rule((40, 3000))[0]) >= (64 if edge > 64 else 0)


def test_a_smallest_edge_of_one_step_is_enough():
    least = {"enabled": True, "upscale": True, "min": 64, "step": 64}
    config(spec(datasets=[{"path": "/a", "resolution": [64, 512]}], buckets=least))
