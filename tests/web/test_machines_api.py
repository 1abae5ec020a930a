"""The machines of a cluster for programs: /api/v1/machines and /metrics."""

from __future__ import annotations

import pytest

from app.platform import EXTENSION
from app.settings import ROOT
from app.slurm.commands import ControllerDownError
from app.slurm.watch import ClusterWatch

REPLAY = ROOT / "tests/replay/slurm"


@pytest.fixture
def answer(app):
    """A function that sets what Slurm answers."""

    def set_answer(name):
        def run(*command):
            if name == "down":
                raise ControllerDownError("gone", done_nothing=True)
            return (REPLAY / f"{command[0]}-{name}.txt").read_text()

        app.extensions[EXTENSION].cluster = ClusterWatch(run, patience=20)

    return set_answer


def test_a_program_reads_what_the_page_shows(client, answer):
    answer("busy")
    told = client.get("/api/v1/machines").json
    assert told["configured"]
    assert told["problem"] == ""
    n4 = next(node for node in told["nodes"] if node["name"] == "n4")
    assert (n4["state"], n4["words"]) == ("leaving", "busy, then drained")
    assert n4["since"] == "2026-11-27T03:30:58+00:00"
    assert n4["gpus"] == [
        {"type": "rtx4090", "total": 1, "free": 0, "busy": 1, "out": 0, "memory_gb": 24.0}
    ]
    everything = told["partitions"][0]
    assert (everything["name"], everything["default"], everything["up"]) == ("all", True, True)
    waiting = next(job for job in told["jobs"] if job["state"] == "pending")
    assert (waiting["job"], waiting["gpus"], waiting["reason"]) == (None, 2, "Resources")
    # Names of other people's jobs are theirs.
    assert "somebody" not in client.get("/api/v1/machines").text


def test_a_controller_that_is_down_is_told_to_programs(client, answer):
    answer("down")
    told = client.get("/api/v1/machines").json
    assert "gone" in told["problem"]
    assert told["nodes"] == []
    assert "vast_lora_cluster_up 0.0" in client.get("/metrics").text


def test_without_a_cluster_there_is_none(client):
    told = client.get("/api/v1/machines").json
    assert (told["configured"], told["read"], told["nodes"]) == (False, None, [])
    assert "cluster" not in client.get("/metrics").text


def test_prometheus_counts_machines_and_gpus_by_state(client, answer):
    answer("quiet")
    text = client.get("/metrics").text
    for line in (
        "vast_lora_cluster_up 1.0",
        'vast_lora_cluster_nodes{state="free"} 2.0',
        'vast_lora_cluster_nodes{state="busy"} 0.0',
        'vast_lora_cluster_nodes{state="out"} 1.0',
        'vast_lora_cluster_nodes{state="down"} 1.0',
        'vast_lora_cluster_gpus{state="free",type="rtx4090"} 2.0',
        'vast_lora_cluster_gpus{state="out",type="rtx4090"} 1.0',
    ):
        assert f"{line}\n" in text
