"""A run whose folder is taken away, on this machine. On a cluster it is waited for: there a folder that cannot be
seen may be a shared filesystem that is not mounted (``tests/app/jobs/slurm``)."""

from __future__ import annotations

import shutil

import pytest

from app.jobs import processes
from app.jobs.rundir import read_json

pytestmark = pytest.mark.e2e


def test_a_run_whose_folder_is_taken_away_is_ended_and_never_trained_beside_itself(
    make_server, document
):
    server = make_server(STANDIN_SECONDS="0.2", STANDIN_ARGUMENTS="--children 1")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    marker = read_json(server.data / "jobs/1/attempts/1/launch.json")["marker"]
    shutil.rmtree(server.data / "jobs/1")
    job = server.wait_for(1, "failed")
    assert "its run directory" in job["reason"]
    assert "is gone" in job["reason"]
    assert job["attempt"] == 1
    assert processes.marked(marker) == []
    # A retry is a run of its own.
    server.post("/api/v1/jobs/1/retry")
    job = server.wait_for(1, "succeeded")
    assert job["attempt"] == 2
