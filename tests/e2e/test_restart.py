"""The program can be killed at any moment; the next one tells the truth."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import yaml

from app.settings import ROOT

pytestmark = pytest.mark.e2e


def test_a_killed_server_comes_back_and_adopts_the_run_with_its_exit_code(make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    launch = (server.data / "jobs/1/attempts/1/launch.json").read_text()
    server.kill()
    begin = time.monotonic()
    server.start()
    assert server.job(1)["state"] == "running"
    assert time.monotonic() - begin < 10
    job = server.wait_for(1, "succeeded")
    assert (job["attempt"], job["step"]) == (1, 40)
    assert (server.data / "jobs/1/attempts/1/launch.json").read_text() == launch


def test_a_run_that_ended_while_nobody_looked_is_settled_at_the_next_start(make_server, document):
    from tests.support.wait import until

    server = make_server(STANDIN_SECONDS="0.05", STANDIN_ARGUMENTS="--exit-code 7")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    server.kill()
    until(lambda: (server.data / "jobs/1/attempts/1/exit.json").exists(), 30, "the exit record")
    server.start()
    job = server.wait_for(1, "failed")
    assert "exited with code 7" in job["reason"]


def test_a_second_copy_on_the_same_data_starts_nothing_twice(make_server, document, tmp_path):
    from tests.support.server import Server

    server = make_server(STANDIN_SECONDS="0.05")
    second = Server(tmp_path, {k: v for k, v in server.env.items() if k != "PORT"})
    second.start()
    try:
        second.post("/api/v1/jobs", document)
        job = server.wait_for(1, "succeeded")
        assert job["attempt"] == 1
        assert [p.name for p in (server.data / "jobs/1/attempts").iterdir()] == ["1"]
    finally:
        second.kill()


def test_the_command_line_queues_a_job_that_the_running_server_starts_at_once(
    server, document, tmp_path
):
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(document))

    def lora(*words):
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT, env=server.env, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    done = lora("submit", str(spec), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] in ("queued", "starting")
    server.wait_for(1, "succeeded")
    assert json.loads(lora("show", "1", "--json").stdout)["state"] == "succeeded"
    assert "dog" in lora("list").stdout
    assert "40/40" in lora("logs", "1").stdout
    refused = lora("submit", str(spec.with_name("none.yaml")))
    assert refused.returncode == 2
    assert "cannot be read" in refused.stderr


def test_run_without_a_server_does_the_work_itself(make_server, document, tmp_path):
    server = make_server()
    server.kill()
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "run", str(spec), "--json"],
        cwd=ROOT, env=server.env, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "succeeded"
    assert "40/40" in done.stderr
