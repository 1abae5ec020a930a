"""The Machines page in a browser, on a real cluster: a job of ours, somebody's, a node out, nobody answering."""

from __future__ import annotations

import signal

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.cluster


def machines(server):
    return {node["name"]: node for node in server.get("/api/v1/machines")["nodes"]}


def test_the_page_follows_the_cluster(page, make_server, document, cluster):
    server = make_server(STANDIN_SECONDS="3")
    cluster.run("sbatch", "-J", "somebody", "-o/dev/null", "--gres=gpu:1", "--wrap", "sleep 300")
    until(lambda: cluster.run("squeue", "-h", "-t", "running").strip(), 30, "somebody's job runs")
    server.post("/api/v1/jobs", document)
    server.wait_for(1, "running")

    page.goto(f"{server.url}/machines")
    link = page.locator('#machines-now a[href="/jobs/1"]')
    link.wait_for(timeout=20_000)
    row = page.locator("#machines-now tr", has=page.locator('a[href="/jobs/1"]'))
    assert row.locator(".gpu.ours").count() == 1
    assert page.locator("#machines-now .gpus .theirs").count() == 1
    assert page.locator('nav a[href="/machines"]').get_attribute("aria-current") == "page"

    # The page is not loaded again from here on: it follows by itself.
    node = row.get_attribute("id").removeprefix("node-")
    cluster.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=a fan is loud")
    page.get_by_text("a fan is loud").wait_for(timeout=20_000)
    assert row.locator("[data-state]").get_attribute("data-state") == "leaving"
    assert machines(server)[node]["words"] == "busy, then drained"

    # A node that is slow to report to the new controller would be given up, and the job would move.
    cluster.give_nodes(60)
    cluster.kill("slurmctld", signal.SIGKILL)
    notice = page.locator("#machines-now .notice.bad")
    notice.wait_for(timeout=60_000)
    assert "controller does not answer" in notice.inner_text()
    assert row.count() == 1, "what was known stays on the page"
    assert server.job(1)["state"] == "running", "nothing is failed for it"
    cluster.start_controller()
    notice.wait_for(state="detached", timeout=60_000)

    job = server.job(1)
    assert (job["state"], job["attempt"]) == ("running", 1), "it went on without its controller"

    # Beside the job stands the machine that it runs on, as the companion of the runner tells it.
    link.click()
    page.locator("#job-machine").get_by_text(node, exact=True).wait_for(timeout=30_000)
    assert server.get("/api/v1/machines")["problem"] == ""
