"""Where a job runs: the fields of the form, the API, and what pages say of a job on Slurm."""

from __future__ import annotations

import json
import re

import pytest

from app.jobs import store
from app.jobs.executor import Running
from app.jobs.states import JobState
from app.platform import current
from tests.support.engines import without_trainer
from tests.support.models import pipeline
from tests.support.pictures import folder
from tests.support.platform import FakeCluster, make_app
from tests.support.polls import poll_of
from tests.support.wait import until


@pytest.fixture
def document(tmp_path):
    shots = folder(tmp_path / "pictures", caption=None)
    model = pipeline(tmp_path / "model")
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(model),
        "datasets": [{"path": str(shots), "resolution": [64]}], "length": {"steps": 8},
    }  # fmt: skip


@pytest.fixture
def make(tmp_path):
    def make(**env):
        app = make_app(tmp_path, {**without_trainer(tmp_path / "sd-scripts"), **env})
        platform = app.extensions["vast-lora"]
        platform._slurm = FakeCluster()
        return app, app.test_client()

    return make


def form_of(document):
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": document["base_model"],
        "datasets.0.path": document["datasets"][0]["path"], "datasets.0.resolution": "64",
        "length.steps": "8",
    }  # fmt: skip


def test_without_slurm_the_form_says_nothing_of_it(make):
    _, client = make()
    assert "place.executor" not in client.get("/jobs/new").text


def test_what_is_chosen_in_the_form_is_kept_and_offered_again_in_a_copy(make, document):
    app, client = make(EXECUTOR="slurm", SLURM_PARTITION="gpu")
    assert 'placeholder="gpu"' in client.get("/jobs/new").text
    form = {**form_of(document), "place.partition": "long", "place.time_limit": "12:00:00"}
    assert client.post("/jobs/", data=form).status_code == 303
    with app.app_context():
        assert json.loads(store.get(1).cluster) == {"partition": "long", "time_limit": "12:00:00"}
    assert 'value="12:00:00"' in client.get("/jobs/new?clone=1").text


def test_a_value_that_would_be_an_option_comes_back_with_a_sentence_at_its_field(make, document):
    _, client = make(EXECUTOR="slurm")
    answer = client.post("/jobs/", data={**form_of(document), "place.options": "--wrap=true"})
    assert answer.status_code == 422
    assert "--wrap is set by this program" in answer.text
    assert 'id="place.options-error"' in answer.text
    assert '<details id="section-place" open>' in answer.text


def test_who_chooses_another_card_has_the_fields_drawn_anew_and_the_newest_choice_wins(make):
    _, client = make(EXECUTOR="slurm")
    page = client.get("/jobs/new?ema.enabled=true&family=sd15&engine=kohya_ss").text
    tags = re.findall(r'<(?:input|select|button)[^>]*hx-post="/jobs/fields"[^>]*>', page)
    names = {name for tag in tags for name in re.findall(r' (?:name|value)="([\w.]+)"', tag)}
    assert names >= {
        "family",
        "card",
        "place.executor",
        "place.partition",
        "place.gpu_type",
        "ema.enabled",
    }
    assert [tag for tag in tags if 'hx-sync="#job-form:replace"' not in tag] == []


def test_a_machine_without_gpus_plans_for_those_of_the_cluster(make, document):
    _, client = make(EXECUTOR="slurm")
    wanted = {**document, "optimizer": {"name": "adamw8bit"}}
    assert client.post("/api/v1/jobs", json=wanted).status_code == 201
    here = client.post("/api/v1/jobs?executor=local", json=wanted)
    assert "GPU" in here.json["errors"]["optimizer.name"]
    answer = client.post("/api/v1/jobs?executor=local&partition=gpu", json=document)
    assert answer.json["errors"] == {
        "place.partition": "This is for jobs on Slurm; choose slurm, or leave it out."
    }


def test_pages_say_what_a_job_waits_for_in_slurm_and_on_which_node_it_runs(make, document):
    app, client = make(EXECUTOR="slurm")
    with app.app_context():
        executor = current().slurm
        executor.at_start = Running(False, waiting="waiting in Slurm: Resources", queued=True)
        client.post("/api/v1/jobs", json=document)
        tick = current().supervisor.tick
        until(lambda: tick() or executor.started, 20, "it is handed over")
        folder = executor.started[0][0]
        until(lambda: tick() or "Resources" in store.get(1).phase, 20, "it waits")
        assert store.get(1).state == "starting"
        assert "waiting in Slurm: Resources" in client.get("/jobs/1").text
        executor.status[folder.root] = Running(True, place="node7")
        executor.answers += 1
        until(lambda: tick() or store.get(1).state == "running", 20, "it runs")
        assert "node7" in client.get("/jobs/1").text
        assert "node7" in client.get("/").text
        assert client.get("/api/v1/jobs/1/attempts").json["attempts"][0]["place"] == "node7"
        launch = executor.started[0][1]
        assert (launch.gpus, launch.ask["gpus"]) == ((), 1)
        assert "CUDA_VISIBLE_DEVICES" not in launch.env_names


def test_an_open_page_hears_that_slurm_is_silent_and_that_it_answers_again(make, document):
    app, client = make(EXECUTOR="slurm")
    client.post("/api/v1/jobs", json=document)
    with app.app_context():
        job = store.get(1)
        store.move(job, JobState.STARTING, attempt=1)
        store.open_attempt(job, number=1, executor="slurm")
        store.move(job, JobState.RUNNING)

    poll = poll_of(client.get("/jobs/1").text, "job-status")
    assert client.get(poll).status_code == 204
    for notice in ("Slurm does not answer.", "Slurm answers, but knows no job.", ""):
        with app.app_context():
            store.remember(store.CLUSTER_NOTICE, notice)
        answer = client.get(poll)
        assert answer.status_code == 200, notice
        assert notice in answer.text
        assert ("notice warn" in answer.text) == bool(notice)
        poll = poll_of(answer.text, "job-status")
        assert client.get(poll).status_code == 204


def test_a_job_meant_for_slurm_never_runs_here_instead(make, document):
    app, client = make()
    with app.app_context():
        client.post("/api/v1/jobs", json=document)
        store.change(store.get(1), executor="slurm")
        tick = current().supervisor.tick
        until(lambda: tick() or store.get(1).state == "failed", 20, "it is refused")
        assert "meant for Slurm" in store.get(1).reason
        assert not current().executor.started
