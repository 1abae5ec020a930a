"""Every life a run can have, with the real program and stand-in trainers: wherever it runs.

``tests/cluster`` runs the same tests on a real Slurm cluster, with the same assertions.
"""

from __future__ import annotations

import os
import signal
import urllib.parse
import urllib.request

import pytest

from app.jobs import processes
from app.jobs.rundir import read_json
from tests.support.wait import until

pytestmark = pytest.mark.e2e


def attempt_of(server, job_id=1, number=1):
    return server.data / f"jobs/{job_id}/attempts/{number}"


def launch_of(server, job_id=1, number=1):
    """launch.json once the trainer runs."""

    def look():
        data = read_json(attempt_of(server, job_id, number) / "launch.json")
        return data if data and data.get("trainer") else None

    return until(look, 30, "the trainer runs")


def order(server, what, job_id=1):
    data = urllib.parse.urlencode({"what": what}).encode()
    headers = {"Sec-Fetch-Site": "same-origin"}
    urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/jobs/{job_id}/order", data, headers), timeout=20
    ).close()


@pytest.mark.parametrize("engine", ["kohya_ss", "ai-toolkit"])
def test_a_run_is_followed_from_the_queue_to_a_sound_lora(make_server, document, engine):
    server = make_server(STANDIN_SECONDS="0.05")
    server.post("/api/v1/jobs", {**document, "engine": engine})
    running = server.wait_for(1, "running")
    until(lambda: server.job(1)["step"] > 0, 20, "steps are seen while it runs")
    job = server.wait_for(1, "succeeded")
    assert (job["attempt"], job["step"], job["reason"]) == (1, 40, "")
    assert running["started"] <= job["finished"]
    record = read_json(attempt_of(server) / "exit.json")
    assert (record["code"], record["stopped"]) == (0, False)
    assert record["peak_rss_bytes"] > 0
    log = server.get("/api/v1/jobs/1/log")
    assert "40/40" in "\n".join((*log["lines"], log["live"]))
    files = server.get("/api/v1/jobs/1/artifacts")["files"]
    assert [f["name"] for f in files if f["name"].endswith("dog.safetensors")]
    events = [e["new"] for e in server.get("/api/v1/jobs/1/events")["events"] if e["new"]]
    assert events == ["queued", "starting", "running", "succeeded"]


def test_a_trainer_that_fails_shows_its_code_and_a_retry_is_a_new_attempt(make_server, document):
    server = make_server(STANDIN_ARGUMENTS="--exit-code 7 --fail-at 12")
    server.post("/api/v1/jobs", document)
    job = server.wait_for(1, "failed")
    assert "exited with code 7" in job["reason"]
    server.post("/api/v1/jobs/1/retry")
    until(lambda: server.job(1)["attempt"] == 2, 30, "a second attempt")
    server.wait_for(1, "failed")
    attempts = server.get("/api/v1/jobs/1/attempts")["attempts"]
    assert [(a["outcome"], a["exit_code"]) for a in attempts] == [("failed", 7), ("failed", 7)]


def test_a_trainer_that_is_killed_from_outside_shows_its_signal(make_server, document):
    server = make_server(STANDIN_SECONDS="0.2")
    server.post("/api/v1/jobs", document)
    os.kill(launch_of(server)["trainer"]["pid"], signal.SIGKILL)
    job = server.wait_for(1, "failed")
    assert "SIGKILL" in job["reason"]
    assert server.get("/api/v1/jobs/1/attempts")["attempts"][0]["signal"] == "SIGKILL"


def test_a_lora_without_numbers_is_no_success(make_server, document):
    server = make_server(STANDIN_ARGUMENTS="--nan", NAN_READINGS="0")
    server.post("/api/v1/jobs", document)
    job = server.wait_for(1, "failed")
    assert job["reason"].startswith("the loss became NaN")


def test_a_stop_ends_children_in_other_sessions_that_ignore_it(make_server, document):
    server = make_server(
        STANDIN_SECONDS="0.1", STANDIN_ARGUMENTS="--children 2 --ignore SIGINT,SIGTERM"
    )
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit", "length": {"steps": 4000}})
    server.wait_for(1, "running")
    marker = launch_of(server)["marker"]
    until(lambda: len(processes.marked(marker)) >= 3, 20, "trainer and children")
    server.post("/api/v1/jobs/1/stop")
    assert server.job(1)["state"] in ("stopping", "cancelled")
    job = server.wait_for(1, "cancelled", timeout=60)
    assert job["attempt"] == 1
    assert processes.marked(marker) == []
    record = read_json(attempt_of(server) / "exit.json")
    assert (record["stopped"], record["wish"]) == (True, "stop")


def test_save_now_and_save_then_stop_leave_checkpoints(make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit", "length": {"steps": 4000}})
    server.wait_for(1, "running")
    until(lambda: server.job(1)["step"] > 1, 20, "it trains")
    order(server, "save-now")
    saved = lambda: list(server.data.glob("jobs/1/output/**/dog_*.safetensors"))  # noqa: E731
    until(lambda: len(saved()) == 1, 20, "the save that was asked for")
    server.post("/api/v1/jobs/1/stop?save=1")
    server.wait_for(1, "cancelled", timeout=60)
    assert len(saved()) == 2
    assert read_json(attempt_of(server) / "exit.json")["wish"] == "save-and-stop"


def test_a_run_whose_runner_vanishes_goes_on_from_its_newest_save(make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    spec = {**document, "engine": "ai-toolkit", "saving": {"every_steps": 7}}
    server.post("/api/v1/jobs", spec)
    launch = launch_of(server)
    until(lambda: list(server.data.glob("jobs/1/output/**/dog_*.safetensors")), 30, "a save")
    os.kill(launch["runner"]["pid"], signal.SIGKILL)
    job = server.wait_for(1, "succeeded", timeout=120)
    assert (job["attempt"], job["step"]) == (2, 40)
    assert processes.marked(launch["marker"]) == []
    first, second = server.get("/api/v1/jobs/1/attempts")["attempts"]
    assert (first["outcome"], second["outcome"]) == ("interrupted", "succeeded")
    assert second["start_step"] >= 7


def test_a_finished_run_is_continued(make_server, document):
    server = make_server()
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit"})
    server.wait_for(1, "succeeded")
    server.post("/api/v1/jobs/1/extend", {"steps": 20})
    until(lambda: server.job(1)["attempt"] == 2, 30, "a second attempt")
    job = server.wait_for(1, "succeeded")
    assert (job["step"], job["total_steps"]) == (60, 60)


def test_a_stop_that_was_asked_for_completes_with_the_program_dead(make_server, document):
    server = make_server(STANDIN_SECONDS="0.1", STANDIN_ARGUMENTS="--ignore SIGINT")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    server.wait_for(1, "running")
    launch_of(server)
    server.post("/api/v1/jobs/1/stop")
    until((attempt_of(server) / "stop.json").exists, 10, "the wish is written")
    server.kill()
    until((attempt_of(server) / "exit.json").exists, 60, "the exit record")
    server.start()
    assert server.wait_for(1, "cancelled")["attempt"] == 1
