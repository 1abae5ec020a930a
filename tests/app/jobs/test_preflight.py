"""What a job will take: measured where this machine has done it before, else estimated and said so."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from app.jobs import preflight, store, telemetry
from app.jobs.cluster_card import ClusterCard
from app.jobs.states import JobState
from app.platform import current
from engines import presets
from engines.base import DatasetFacts, LaunchPlan
from engines.spec import JobSpec
from tests.support.platform import FakeGpus, make_app

FACTS = (DatasetFacts(((1024, 1024, 20),)),)


@dataclass(frozen=True)
class Card:
    index: int = 0
    memory_total: int = 24 << 30
    memory_used: int = 0


@pytest.fixture
def platform(tmp_path):
    app = make_app(tmp_path, {"PRICE_PER_HOUR": "0.5", "HF_HOME": str(tmp_path / "hub")})
    with app.app_context():
        yield current()


def spec(**changes):
    document = {
        "name": "x", "family": "sdxl", "base_model": "stabilityai/sdxl", "length": {"steps": 1000},
        "datasets": [{"path": "p"}], **changes,
    }  # fmt: skip
    return JobSpec.model_validate(presets.complete(document, gpu=True))


def plan(steps=1000):
    from pathlib import Path

    return LaunchPlan((), Path("/"), {}, {}, (), "x.safetensors", steps)


def examine(platform, given, steps=1000):
    return preflight.examine(platform, given, "kohya_ss", plan(steps), FACTS)


def earlier(given, **columns):
    job = store.add(
        name="before", family=given.family, engine="kohya_ss", total_steps=500,
        document=json.dumps(given.model_dump(mode="json", by_alias=True)), gpus="0", **columns,
    )  # fmt: skip
    store.move(job, JobState.STARTING, attempt=1)
    attempt = store.open_attempt(job, number=1, gpus="0")
    store.change_attempt(attempt, peak_vram=11_000_000_000)
    store.change(job, seconds_per_step=1.5)
    for state in (JobState.RUNNING, JobState.SUCCEEDED):
        store.move(job, state)
    return job


def test_without_an_earlier_job_memory_is_estimated_and_time_is_not_told(platform):
    found = examine(platform, spec())
    assert found.vram.basis == "estimated"
    assert (found.seconds, found.cost) == (None, None)
    assert "12 GB" in found.stated or "8 GB" in found.stated
    assert "download of the base model" in found.disk.source


def test_an_earlier_job_of_the_same_kind_is_the_measure_for_memory_time_and_cost(platform):
    job = earlier(spec())
    found = examine(platform, spec(name="other", network={"rank": 8}), steps=2400)
    assert (found.vram.basis, found.vram.low) == ("measured", 11.0)
    assert f"job {job.id}" in found.vram.source
    assert found.seconds.low == pytest.approx(3600)
    assert found.cost.low == pytest.approx(0.5)


def test_on_a_cluster_only_jobs_there_measure_time_and_nothing_is_charged(platform):
    there = ClusterCard("partition gpu", gb=80)

    def examined():
        return preflight.examine(platform, spec(), "kohya_ss", plan(), FACTS, place=there)

    earlier(spec())
    assert (examined().seconds, examined().vram.basis) == (None, "measured")
    job = earlier(spec())
    store.change_attempt(store.attempt_of(job), executor="slurm")
    assert f"job {job.id} took on the cluster" in examined().seconds.source
    assert examined().cost is None
    assert f"job {job.id - 1} took on this machine" in examine(platform, spec()).seconds.source


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": {"size": 3}}, {"datasets": [{"path": "p", "resolution": [512]}]},
        {"memory": {"gradient_checkpointing": False}}, {"network": {"type": "locon", "conv_rank": 4}},
    ],
)  # fmt: skip
def test_a_job_of_another_kind_measures_nothing(platform, changes):
    earlier(spec())
    found = examine(platform, spec(**changes))
    assert found.vram.basis == "estimated"
    assert found.seconds is None


def test_what_will_not_fit_is_told_before_the_start(platform):
    platform.gpus = FakeGpus(Card(memory_total=8 << 30))
    given = spec(family="flux", base_model="/m/flux.safetensors", memory={"quantize": "none"})
    (warning,) = [w for w in examine(platform, given).warnings if "GPU" in w]
    assert "8 GB will probably not do" in warning
    assert "smaller memory preset" in warning


@pytest.mark.parametrize(
    ("batch", "word"),
    [
        (2, ""), (4, "a batch size of 3 would fit"), (1, ""),
        (8, "a batch size of 3 would fit"),
    ],
)  # fmt: skip
def test_a_quiet_word_is_said_where_only_the_upper_end_of_the_estimate_is_over_the_card(
    platform, batch, word
):
    platform.gpus = FakeGpus(Card(memory_total=24 << 30))
    found = examine(platform, spec(batch={"size": batch}))
    assert not [warning for warning in found.warnings if "GPU" in warning]
    assert word in found.tight
    assert bool(found.tight) == bool(word)
    assert examine(platform, spec(batch={"size": 40})).tight == ""  # that is told aloud


def test_without_a_gpu_it_is_told_that_the_processor_trains(platform):
    told = "No GPU was found on this machine, so its processor trains"
    assert any(text.startswith(told) for text in examine(platform, spec()).warnings)
    platform.gpus = FakeGpus(Card())
    assert not any(text.startswith(told) for text in examine(platform, spec()).warnings)
    place = ClusterCard("partition all", None, "", "not known")
    platform.gpus = FakeGpus()
    there = preflight.examine(platform, spec(), "kohya_ss", plan(), FACTS, place=place)
    assert not any(text.startswith(told) for text in there.warnings)


def test_where_no_batch_would_fit_the_quiet_word_names_another_way(platform):
    platform.gpus = FakeGpus(Card(memory_total=10 << 30))
    assert "offload" in examine(platform, spec(memory={"cache_text": "none"})).tight


def test_a_model_on_this_disk_or_in_the_cache_is_not_downloaded(platform, tmp_path):
    assert "download" not in examine(platform, spec(base_model="/m/x.safetensors")).disk.source
    snapshot = tmp_path / "hub" / "hub" / "models--stabilityai--sdxl" / "snapshots" / "a"
    snapshot.mkdir(parents=True)
    assert "download" in examine(platform, spec()).disk.source
    (snapshot / "m.safetensors").write_bytes(b"whole")
    assert "download" not in examine(platform, spec()).disk.source


def test_the_most_memory_that_a_job_used_is_remembered(platform):
    job = earlier(spec())
    attempt = store.attempt_of(job)
    for used in (12 << 30, 9 << 30):
        platform.gpus = FakeGpus(Card(memory_used=used), Card(index=1, memory_used=40 << 30))
        telemetry.note_peak(platform, job, attempt)
    assert attempt.peak_vram == 12 << 30
