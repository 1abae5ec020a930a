"""What a cluster does to a job: each told apart, nothing lost, nothing started twice."""

from __future__ import annotations

import json

import pytest

from app.jobs.rundir import read_json
from tests.support.wait import until

pytestmark = pytest.mark.cluster


def number_of(server, job_id=1, attempt=1):
    """Slurm's number of an attempt, once it is written down."""
    path = server.data / f"jobs/{job_id}/attempts/{attempt}/launch.json"
    return until(lambda: ((read_json(path) or {}).get("slurm") or {}).get("job_id"), 30, "a number")


def phase(server, words, job_id=1):
    return until(lambda: words in server.job(job_id)["phase"], 30, f"job {job_id}: {words}")


def attempts(server, job_id=1):
    return server.get(f"/api/v1/jobs/{job_id}/attempts")["attempts"]


def test_jobs_beyond_the_gpus_wait_in_slurm_and_say_so_until_they_are_stopped(
    make_server, document, cluster
):
    server = make_server(STANDIN_SECONDS="0.3")
    # They must outlast the test: on a busy machine a short one ends before the next begins.
    long = {**document, "length": {"steps": 4000}}
    for _ in range(3):
        server.post("/api/v1/jobs?options=--exclusive", long)

    def states():
        return [server.job(number)["state"] for number in (1, 2, 3)]

    # Slurm alone says which of them comes first.
    until(lambda: sorted(states()) == ["running", "running", "starting"], 60, "two of three run")
    waits = states().index("starting") + 1
    running = [number for number in (1, 2, 3) if number != waits]
    phase(server, "waiting in Slurm: ", waits)
    places = [attempts(server, number)[0]["place"] for number in running]
    assert sorted(places) == ["n1", "n2"]
    server.post(f"/api/v1/jobs/{waits}/stop")
    server.wait_for(waits, "cancelled")
    assert cluster.run("squeue", "-h", "-j", str(number_of(server, waits)), "-t", "all", "-o", "%T"
                       ).strip() == "CANCELLED"  # fmt: skip
    for number in running:
        server.post(f"/api/v1/jobs/{number}/stop")
    for number in running:
        server.wait_for(number, "cancelled")


def test_a_limit_of_our_own_keeps_the_rest_in_our_queue(make_server, document, cluster):
    server = make_server(STANDIN_SECONDS="0.2", SLURM_MAX_JOBS="1")
    for _ in range(2):
        server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    assert server.job(2)["state"] == "queued"
    assert len(cluster.run("squeue", "-h").splitlines()) == 1
    server.wait_for(2, "running", "succeeded")
    assert server.job(1)["state"] == "succeeded"


def test_a_job_cancelled_by_an_administrator_is_cancelled_and_says_by_whom(
    make_server, document, cluster
):
    server = make_server(STANDIN_SECONDS="0.3")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    cluster.run("scancel", str(number_of(server)))
    job = server.wait_for(1, "cancelled")
    assert "cancelled in Slurm" in job["reason"]
    assert job["attempt"] == 1


def test_a_near_time_limit_saves_and_goes_on_in_a_new_attempt(make_server, document, cluster):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit"})
    server.wait_for(1, "running")
    until(lambda: server.job(1)["step"] > 2, 20, "it trains")
    # As Slurm does it SLURM_SAVE_SECONDS before the end.
    cluster.run("scancel", "--batch", "--signal=USR2", str(number_of(server)))
    job = server.wait_for(1, "succeeded", timeout=90)
    assert (job["attempt"], job["step"]) == (2, 40)
    first, second = attempts(server)
    assert "time limit was near" in first["reason"]
    assert second["start_step"] > 2, "it was saved at the signal"


def test_a_job_that_takes_more_memory_than_it_asked_for_fails_once_and_says_so(
    make_server, document, cluster
):
    server = make_server(STANDIN_SECONDS="0.2", STANDIN_ARGUMENTS="--memory-mb 900")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    job = server.wait_for(1, "failed", timeout=60)
    assert job["attempt"] == 1
    assert "more memory than Slurm gave it" in job["reason"]
    assert "--mem" in job["suggestion"]


def test_a_preempted_job_is_queued_again_and_goes_on(make_server, document, cluster):
    server = make_server(STANDIN_SECONDS="0.2")
    spec = {**document, "engine": "ai-toolkit", "saving": {"every_steps": 3}}
    server.post("/api/v1/jobs", spec)
    server.wait_for(1, "running")
    until(lambda: server.job(1)["step"] > 4, 30, "it trains")
    for _ in range(2):
        cluster.run(
            "sbatch", "-p", "urgent", "--gres=gpu:2", "-o", "/dev/null", "--wrap", "sleep 4"
        )
    until(lambda: server.job(1)["attempt"] == 2, 40, "a second attempt")
    assert "preempted" in attempts(server)[0]["reason"]
    assert server.wait_for(1, "succeeded", timeout=90)["step"] == 40


def test_a_node_that_dies_is_told_and_the_job_goes_on_elsewhere_only_then(
    make_server, document, cluster
):
    server = make_server(STANDIN_SECONDS="0.2")
    spec = {
        **document,
        "engine": "ai-toolkit",
        "saving": {"every_steps": 3},
        "length": {"steps": 60},
    }
    server.post("/api/v1/jobs", spec)
    server.wait_for(1, "running")
    until(lambda: server.job(1)["step"] > 4, 30, "it trains")
    node = attempts(server)[0]["place"]
    cluster.crash(node)
    job = server.wait_for(1, "succeeded", timeout=120)
    first, second = attempts(server)
    assert f"the node {node} failed" in first["reason"]
    assert second["place"] != node
    assert (job["attempt"], job["step"]) == (2, 60)


def test_a_controller_that_is_down_fails_nothing_and_pages_say_it(make_server, document, cluster):
    server = make_server(STANDIN_SECONDS="0.4")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")
    cluster.kill("slurmctld")
    until(lambda: "has not answered since" in page(server, "/jobs/1"), 60, "the notice")
    assert "has not answered since" in page(server, "/")
    job = server.wait_for(1, "succeeded", timeout=60)
    server.post("/api/v1/jobs", document)
    cluster.start_controller()
    assert server.wait_for(2, "succeeded", timeout=90)["attempt"] == 1
    until(lambda: "has not answered since" not in page(server, "/"), 30, "the notice is gone")
    assert job["attempt"] == 1


def page(server, path):
    import urllib.request

    with urllib.request.urlopen(server.url + path, timeout=20) as answer:
        return answer.read().decode()


def test_nodes_that_see_the_folder_under_another_path_train_all_the_same(
    make_server, document, tmp_path
):
    there = tmp_path.parent / f"{tmp_path.name}-there"
    there.symlink_to(tmp_path)
    report = f"--report {there}/report.json"
    server = make_server(SLURM_PATH_MAP=f"{tmp_path}={there}", STANDIN_ARGUMENTS=report)
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit", "gpus": 1})
    server.wait_for(1, "succeeded")
    launch = read_json(server.data / "jobs/1/attempts/1/launch.json")
    assert launch["cwd"].startswith(str(there))
    assert str(tmp_path) + "/" not in (server.data / "jobs/1/native/config.yaml").read_text()
    told = json.loads((tmp_path / "report.json").read_text())["environ"]
    assert told["CUDA_VISIBLE_DEVICES"] == "0"
    assert told["SLURM_JOB_NAME"].startswith("lora-1.1-")


def test_what_slurm_refuses_fails_with_its_own_sentence(make_server, document):
    server = make_server()
    server.post("/api/v1/jobs?partition=nowhere", document)
    job = server.wait_for(1, "failed")
    assert "Invalid partition name" in job["reason"]
