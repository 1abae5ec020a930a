"""Before a job goes to the cluster, the GPU that counts is the partition's, not this machine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.jobs import doctor, preflight, service
from app.jobs.cluster_card import cluster_card
from app.platform import current
from app.settings import ROOT
from app.slurm.commands import ControllerDownError
from app.slurm.watch import ClusterWatch
from engines import presets
from engines.base import DatasetFacts, LaunchPlan
from engines.spec import JobSpec
from tests.support.engines import without_trainer
from tests.support.platform import make_app

REPLAY = ROOT / "tests/replay/slurm"


@pytest.fixture
def make(tmp_path):
    """A function that makes a platform whose Slurm answers as recorded."""
    contexts = []

    def platform(name="busy", change=("", ""), **env):
        app = make_app(tmp_path / f"data-{len(contexts)}", {"EXECUTOR": "slurm", **env})
        contexts.append(app.app_context())
        contexts[-1].push()

        def run(*command):
            if name == "down":
                raise ControllerDownError("gone", done_nothing=True)
            return (REPLAY / f"{command[0]}-{name}.txt").read_text().replace(*change)

        current().cluster = ClusterWatch(run, patience=20)
        return current()

    yield platform
    for context in reversed(contexts):
        context.pop()


def test_the_smallest_gpu_of_the_default_partition_counts(make):
    card = cluster_card(make(), {})
    assert (card.where, card.gb) == ("partition all", 24)
    assert "rtx4090" in card.note
    assert card.warnings == ()


def test_a_partition_and_a_type_narrow_it_down(make):
    platform = make(SLURM_PARTITION="a100-80gb")
    assert cluster_card(platform, {}).gb == 80
    assert cluster_card(platform, {"partition": "rtx4090"}).gb == 24
    assert cluster_card(platform, {"partition": "all", "gpu_type": "a100-80gb"}).gb == 80


def test_who_needs_two_gpus_gets_no_machine_with_one(make):
    card = cluster_card(make(), {"partition": "rtx4090"}, 2)
    # n1 has two and 59 GB, n4 has one and 7 GB.
    assert round(card.memory_gb) == 64
    assert round(cluster_card(current(), {"partition": "rtx4090"}).memory_gb) == 8


@pytest.mark.parametrize(
    ("place", "gpus", "told"),
    [
        ({"partition": "none-such"}, 1, "Slurm has no partition none-such; there are all, a100-80gb, rtx4090."),
        ({"gpu_type": "h100"}, 1, "No machine of partition all has a GPU of type h100; there are a100-80gb, rtx4090."),
        ({}, 3, "No machine of partition all has 3 such GPUs; the most is 2. It would never start."),
    ],
)  # fmt: skip
def test_what_slurm_would_refuse_or_never_start_is_told_before(make, place, gpus, told):
    card = cluster_card(make(), place, gpus)
    assert (card.gb, card.warnings) == (None, (told,))


def test_a_partition_that_is_down_is_told(make):
    card = cluster_card(make("broken"), {"partition": "a100-80gb"})
    assert card.gb == 80
    assert card.warnings == ("Partition a100-80gb is down: it starts no job now.",)


def test_types_that_nobody_knows_are_not_guessed_and_the_setting_helps(make):
    unknown = cluster_card(make(change=("rtx4090", "mystery")), {})
    assert unknown.gb is None
    assert "SLURM_GPU_MEMORY" in unknown.note
    known = cluster_card(make(change=("rtx4090", "mystery"), SLURM_GPU_MEMORY="mystery:12"), {})
    assert known.gb == 12


def test_while_slurm_does_not_answer_nothing_is_claimed(make):
    card = cluster_card(make("down"), {"partition": "rtx4090"})
    assert card.gb is None
    assert card.note == "it is not known while Slurm does not answer"


def test_a_job_that_stays_here_has_no_place_there(make):
    assert cluster_card(make(), {"executor": "local"}) is None


def test_the_preview_warns_by_the_partitions_gpu(make):
    platform = make(SLURM_PARTITION="rtx4090", SLURM_GPU_MEMORY="rtx4090:2")
    document = {
        "name": "x", "family": "sdxl", "base_model": "stabilityai/sdxl", "length": {"steps": 1000},
        "datasets": [{"path": "p"}],
    }  # fmt: skip
    spec = JobSpec.model_validate(presets.complete(document, gpu=True))
    plan = LaunchPlan((), Path("/"), {}, {}, (), "x.safetensors", 1000)
    facts = (DatasetFacts(((1024, 1024, 20),)),)
    found = preflight.examine(
        platform, spec, "kohya_ss", plan, facts, place=cluster_card(platform, {})
    )
    assert found.gpu_vram == 2
    assert (
        "The 2 GB of the smallest GPU in partition rtx4090 will probably not do"
        in found.warnings[0]
    )


def test_the_preview_shows_where_it_would_run(make, tmp_path):
    make(**without_trainer(tmp_path / "sd-scripts"))
    document = {
        "name": "x", "family": "sd15", "engine": "kohya_ss", "base_model": "a/b",
        "datasets": [{"path": str(tmp_path)}], "length": {"steps": 10},
    }  # fmt: skip
    here = service.preview(document, place={"executor": "local"})
    there = service.preview(document, place={"partition": "a100-80gb"})
    assert here.flight is not None, here.errors
    assert here.flight.place is None
    assert there.flight is not None, there.errors
    assert there.flight.gpu_vram == 80


def test_the_form_offers_presets_for_the_partitions_card_though_this_machine_has_none(make):
    app = make(SLURM_PARTITION="a100-80gb").app
    page = app.test_client().get("/jobs/new").text
    assert "auto: 80 GB, partition a100-80gb" in page
    assert '<option value="rtx4090">1 of 3 rtx4090 free</option>' in page
    local = app.test_client().get("/jobs/new?place.executor=local").text
    assert "no GPU here" in local


def test_the_preview_on_the_form_names_the_partition_the_type_and_the_source(make, tmp_path):
    app = make(**without_trainer(tmp_path / "sd-scripts")).app
    fields = {
        "name": "x", "family": "sd15", "engine": "kohya_ss", "base_model": "a/b",
        "datasets.0.path": str(tmp_path), "length.steps": "10", "place.partition": "a100-80gb",
    }  # fmt: skip
    shown = " ".join(app.test_client().post("/jobs/preview", data=fields).text.split())
    assert "<dt>Smallest GPU in partition a100-80gb</dt><dd>80&nbsp;GB" in shown
    assert "Smallest GPU in partition a100-80gb: a100-80gb, by the name of its type." in shown
    elsewhere = app.test_client().post("/jobs/preview", data={**fields, "place.executor": "local"})
    assert "Smallest GPU in" not in elsewhere.text


def slurm_lines(platform):
    return {line.what: line for line in doctor.examine() if line.what in ("Slurm", "partition")}


def test_the_doctor_says_whether_the_cluster_answers_and_what_jobs_would_get(make):
    lines = slurm_lines(make())
    assert lines["Slurm"].ok
    assert lines["Slurm"].text == "4 machines; 0 of 2 a100-80gb free, 1 of 3 rtx4090 free"
    assert lines["partition"].text.startswith("smallest GPU in partition all: 24 GB (rtx4090")
    wrong = slurm_lines(make(SLURM_PARTITION="none-such"))
    assert not wrong["partition"].ok
    down = slurm_lines(make("down"))
    assert (down["Slurm"].ok, down["Slurm"].needed) == (False, True)
    assert "does not answer" in down["Slurm"].text
