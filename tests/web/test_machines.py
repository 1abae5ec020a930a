"""The machines of a cluster on their page, from recorded answers of a real one."""

from __future__ import annotations

import json

import pytest

from app.jobs import store
from app.jobs.states import JobState
from app.platform import EXTENSION
from app.settings import ROOT
from app.slurm.commands import ControllerDownError
from app.slurm.watch import ClusterWatch
from app.web.machines import time_limit
from tests.support.polls import poll_of
from tests.support.wait import until

REPLAY = ROOT / "tests/replay/slurm"
OURS = "lora-1.1-abcdef12"


@pytest.fixture
def cluster(app):
    """The platform's cluster; its attributes say what Slurm answers."""

    class Answers:
        name, error, now, said = "busy", None, 0.0, {"vast-lora-12": OURS}

        def run(self, *command):
            if self.error:
                raise self.error
            text = (REPLAY / f"{command[0]}-{self.name}.txt").read_text()
            for old, new in self.said.items():
                text = text.replace(old, new)
            return text

        def later(self):
            """A minute passes, and the next look is over."""
            self.now += 60.0
            watch.report()
            until(lambda: watch._asking is None, 20, "the look is over")

    answers = Answers()
    watch = ClusterWatch(answers.run, lambda: answers.now, lambda: 1795750000.0, patience=20)
    app.extensions[EXTENSION].cluster = watch
    return answers


@pytest.fixture
def on_the_cluster(app, job):
    """Job 1 runs as the Slurm job that bears its name."""
    with app.app_context():
        store.move(store.get(1), JobState.STARTING, attempt=1)
        folder = app.extensions[EXTENSION].settings.jobs_dir / "1/attempts/1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "launch.json").write_text(json.dumps({"slurm": {"name": OURS}}))
    return folder


def row(page, name):
    return " ".join(page.partition(f'id="node-{name}"')[2].partition("</tr>")[0].split())


def test_each_machine_says_how_it_is_in_plain_words(client, cluster):
    page = client.get("/machines").text
    assert ">busy</span>" in row(page, "n1")
    assert "down: does not answer</span>" in row(page, "n3")
    n4 = row(page, "n4")
    assert "busy, then drained</span>" in n4
    assert "bad fan, Ada looks at it, since" in n4
    assert "by root" in n4


def test_our_jobs_are_links_and_others_are_counted(client, cluster, on_the_cluster):
    page = client.get("/machines").text
    assert '<a href="/jobs/1">dog #1</a>' in row(page, "n4")
    assert row(page, "n4").count('class="gpu ours"') == 1
    assert "1 of others" in row(page, "n1")
    assert row(page, "n1").count('class="gpu theirs"') == 1
    assert row(page, "n1").count('class="gpu free"') == 1


@pytest.mark.parametrize("launch", ["{}", "", '{"slurm": {"name": "lora-1.1-00000000"}}'])
def test_the_job_of_another_dashboard_is_not_ours_though_it_has_the_number(
    client, cluster, on_the_cluster, launch
):
    (on_the_cluster / "launch.json").write_text(launch)
    assert "dog #1" not in client.get("/machines").text


def test_a_partition_tells_the_memory_of_its_gpus_and_whether_it_starts_jobs(client, cluster):
    page = " ".join(client.get("/machines").text.split())
    assert "of 3 rtx4090 <small>24 GB</small>" in page
    assert "of 2 a100-80gb <small>80 GB</small>" in page
    assert "starts no job" not in page
    cluster.name = "broken"
    cluster.later()
    assert "down: starts no job" in client.get("/machines").text


def test_a_job_of_ours_that_waits_says_since_when_and_why(client, cluster, on_the_cluster):
    cluster.said = {"|waits": f"|{OURS}"}
    page = " ".join(client.get("/machines").text.split())
    assert "Our jobs that wait in Slurm" in page
    assert '<a href="/jobs/1">dog #1</a> <small>in a100-80gb, since' in page


def test_nothing_new_is_answered_with_204(client, cluster):
    poll = poll_of(client.get("/machines").text, "machines-now")
    assert client.get(poll).status_code == 204
    assert client.get("/machines/now?v=0").status_code == 200


def test_a_controller_that_is_down_is_said_plainly_beside_what_was_known(client, cluster):
    client.get("/machines")
    cluster.error = ControllerDownError("Unable to contact", done_nothing=True)
    cluster.later()
    page = " ".join(client.get("/machines").text.split())
    assert "Slurm's controller does not answer: Unable to contact" in page.replace("&#39;", "'")
    assert "none is failed for it" in page
    assert "Below is how it was at" in page
    assert row(page, "n1")


def test_without_any_answer_yet_the_page_says_what_it_waits_for(client, cluster):
    cluster.error = ControllerDownError("Unable to contact", done_nothing=True)
    page = client.get("/machines").text
    assert "Unable to contact" in page
    assert "Partitions" not in page


def test_the_navigation_leads_to_the_machines_only_where_there_is_a_cluster(client, cluster, app):
    assert '<a href="/machines"' in client.get("/").text
    app.extensions[EXTENSION].cluster = None
    page = client.get("/").text
    assert '<a href="/machines"' not in page
    assert '<a href="/machine"' in page
    assert "no Slurm cluster is set up" in client.get("/machines").text
    assert client.get("/machines/now").status_code == 204


@pytest.mark.parametrize(
    ("slurm", "words"),
    [
        ("7-00:00:00", "7 days"), ("1-12:00:00", "1 day 12 h"), ("12:00:00", "12 h"),
        ("30:00", "30 min"), ("1:30:00", "1 h 30 min"), ("infinite", "none"), ("0:30", "0:30"),
        ("odd", "odd"),
    ],
)  # fmt: skip
def test_time_limits_are_said_as_people_say_them(slurm, words):
    assert time_limit(slurm) == words


def test_a_large_cluster_shows_what_matters_and_counts_the_rest(client, cluster, on_the_cluster):
    idle = (REPLAY / "sinfo-quiet.txt").read_text().splitlines()[0]
    many = "\n".join(idle.replace("n1  ".ljust(6), f"m{n:03d}  ", 1) for n in range(150))
    run = cluster.run
    watch = ClusterWatch(
        lambda *c: run(*c) + (f"{many}\n" if c[0] == "sinfo" else ""), lambda: 0.0, patience=20
    )
    client.application.extensions[EXTENSION].cluster = watch
    page = client.get("/machines").text
    assert page.count('id="node-') == 100
    assert page.index('id="node-n4"') < page.index('id="node-n3"') < page.index('id="node-m000"')
    assert "And 54 more machines" in page
