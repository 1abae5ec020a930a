"""What leads a newcomer: the list on the home page, the sample dataset, the glossary."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from PIL import Image
from sqlalchemy import select

from app.base_models import Entry, Library
from app.base_models import library as base_models
from app.datasets import library, sample
from app.db import db
from app.jobs import store
from app.jobs.states import JobState
from app.models import Dataset, Task
from app.platform import EXTENSION
from app.settings import ROOT
from app.slurm.watch import ClusterWatch
from app.web import first_steps, glossary
from engines.fields import table
from tests.support import engines
from tests.support.platform import make_app
from tests.support.polls import poll_of


@pytest.fixture
def bare(tmp_path):
    """A machine with no engine, no model and no GPU."""
    return make_app(tmp_path, {"HF_HOME": str(tmp_path / "hf")})


@pytest.fixture
def plain_drawing(monkeypatch):
    """The sample's pictures without what is on them: drawing all twelve takes two seconds."""
    plain = lambda scene, seed: Image.new("RGB", (640, 640))  # noqa: E731
    monkeypatch.setattr("app.datasets.sample_drawing.draw", plain)


def slurm(tmp_path, **env):
    """A machine in front of a cluster, whose Slurm answers as recorded."""
    app = make_app(tmp_path, {"EXECUTOR": "slurm", **env})
    replay = ROOT / "tests/replay/slurm"
    run = lambda *command: (replay / f"{command[0]}-busy.txt").read_text()  # noqa: E731
    app.extensions[EXTENSION].cluster = ClusterWatch(run, patience=20)
    return app


def test_a_bare_machine_is_told_what_is_missing_and_the_exact_command(bare):
    page = bare.test_client().get("/").text
    assert "0 of 4 done" in page
    assert "./scripts/bootstrap.sh kohya_ss" in page
    assert 'action="/engines/kohya_ss/install"' in page
    assert "About 9 GB with CUDA." in page
    assert 'action="/first-steps/sample"' in page


def test_each_step_ticks_itself_off_and_the_list_goes_when_a_job_has_trained(app, client, job):
    first = client.get("/first-steps").text
    assert "2 of 4 done" not in first
    assert "1 of 4 done" in first
    with app.app_context():
        found = store.get(1)
        for state in (JobState.STARTING, JobState.RUNNING):
            store.move(found, state, attempt=1)
    assert client.get("/first-steps").text.strip() == '<section id="first-steps" hidden></section>'
    assert 'id="first-steps"' not in client.get("/").text


def test_a_poll_with_nothing_new_is_answered_without_a_body(bare):
    client = bare.test_client()
    poll = poll_of(client.get("/").text, "first-steps")
    assert client.get(poll).status_code == 204


def test_the_form_is_filled_in_with_a_model_of_the_family_that_is_here(bare):
    mine = "/models/mine"
    entry = Entry("a", "folder", mine, mine, 1, 0.0, True, "model", families=("sd15", "sd2"))
    other = replace(entry, key="b", name="/models/flux", families=("flux",))
    with bare.app_context():
        settings = bare.extensions[EXTENSION].settings
        base_models.write(settings, Library(at=1.0, entries=(other,)))
        assert "base_model" not in first_steps.steps().first_job
        base_models.write(settings, Library(at=1.0, entries=(other, entry)))
        assert "base_model=%2Fmodels%2Fmine" in first_steps.steps().first_job


def test_every_engine_that_is_there_is_named(tmp_path, client):
    assert "kohya_ss is installed." in client.get("/first-steps").text
    both = make_app(tmp_path / "both", engines.make(tmp_path / "engines")).test_client()
    assert "ai-toolkit and kohya_ss are installed." in both.get("/first-steps").text


def test_a_download_that_waits_to_try_again_says_why(bare):
    client = bare.test_client()
    client.post("/first-steps/model")
    with bare.app_context():
        task = db.session.scalars(select(Task)).one()
        task.error = "The Hub does not answer. Trying again."
        db.session.commit()
    assert "The Hub does not answer. Trying again." in client.get("/first-steps").text


def test_the_list_can_be_put_away_and_had_back(bare):
    client = bare.test_client()
    assert client.post("/first-steps/dismiss").status_code == 303
    assert 'id="first-steps"' not in client.get("/").text
    assert client.post("/first-steps/again").status_code == 303
    assert 'id="first-steps"' in client.get("/").text


def test_the_sample_dataset_is_drawn_once_with_a_caption_for_each_picture(bare):
    client = bare.test_client()
    where = client.post("/first-steps/sample").headers["Location"]
    assert client.post("/first-steps/sample").headers["Location"] == where
    bare.extensions[EXTENSION].tasks.run_all()
    with bare.app_context():
        dataset = sample.find()
        assert dataset is not None
        assert (dataset.images, dataset.captions) == (12, 12)
        assert dataset.trigger_word == "vlbot"
        folder = library.folder(dataset)
    with Image.open(folder / "robot-01.png") as picture:
        assert picture.size == (1024, 1024)
    assert not [*folder.glob(".*.new")]
    page = client.get("/").text
    assert "datasets.0.path=sample-robot" in page
    assert "trigger_word=vlbot" in page
    assert "sampling.prompts=a+small+robot" in page


def test_a_drawing_that_was_cut_goes_on_and_leaves_what_is_there(bare, plain_drawing):
    client = bare.test_client()
    client.post("/first-steps/sample")
    with bare.app_context():
        found = sample.find()
        assert found is not None
        first = library.folder(found) / "robot-01.png"
    Image.new("RGB", (8, 8)).save(first)
    bare.extensions[EXTENSION].tasks.run_all()
    with Image.open(first) as kept:
        assert kept.size == (8, 8)
    assert len([*first.parent.glob("*.png")]) == 12


@pytest.mark.parametrize(("card", "family"), [(None, "sd15"), (8.0, "sd15"), (24.0, "sdxl")])
def test_the_preset_fits_the_machine_and_each_of_its_fields_is_one_of_the_form(card, family):
    preset = first_steps.preset_for(card)
    assert preset.family == family
    known = {name.replace("[]", ".0") for name in table()}
    assert {name for name, _ in preset.fields} <= known


def test_on_a_cluster_the_preset_is_for_its_cards_not_for_this_machine(tmp_path):
    page = slurm(tmp_path, SLURM_PARTITION="a100-80gb").test_client().get("/").text
    assert "80 GB of GPU memory in partition a100-80gb are enough for SDXL" in page
    assert "No GPU was found" not in page
    assert "ai-toolkit fits partition a100-80gb:" in page
    assert " with values that fit partition a100-80gb, filled in" in page
    unknown = make_app(tmp_path / "silent", {"EXECUTOR": "slurm"}).test_client().get("/").text
    assert "How much memory the GPUs of the default partition have is not known." in unknown
    assert "ai-toolkit fits nearly any GPU:" in unknown
    assert "this machine, filled in" not in unknown + page


def test_work_that_failed_gives_its_button_back_and_says_why(bare):
    client = bare.test_client()
    client.post("/first-steps/sample")
    client.post("/first-steps/model")
    client.post("/engines/kohya_ss/install")
    buttons = [f'action="{to}"' for to in
               ("/first-steps/sample", "/first-steps/model", "/engines/kohya_ss/install")]  # fmt: skip
    page = client.get("/").text
    assert not [button for button in buttons if button in page]
    assert page.count("<progress") == 3
    with bare.app_context():
        work = db.session.scalars(select(Task)).all()
        assert len(work) == 3
        for task in work:
            task.state, task.error = "failed", f"No space for {task.kind}."
        db.session.commit()
    page = client.get("/").text
    assert [button for button in buttons if button in page] == buttons
    assert page.count("No space for ") == 3
    assert "<progress" not in page


def test_an_open_list_counts_the_pictures_as_they_come(bare):
    client = bare.test_client()
    with bare.app_context():
        dataset_id = library.create("mine").id
    page = client.get("/").text
    assert "holds no pictures yet" in page
    for images, told in ((1, "1 picture."), (30, "30 pictures.")):
        poll = page.partition("/first-steps?v=")[2].partition('"')[0]
        with bare.app_context():
            db.session.get(Dataset, dataset_id).images = images
            db.session.commit()
        page = client.get(f"/first-steps?v={poll}").text
        assert told in page
        assert "1 of 4 done" in page


def test_the_form_that_the_preset_fills_in_has_no_complaint(bare, plain_drawing):
    client = bare.test_client()
    client.post("/first-steps/sample")
    bare.extensions[EXTENSION].tasks.run_all()
    with bare.app_context():
        found = first_steps.steps()
        assert found is not None
        given = dict(parse_qsl(urlsplit(found.first_job).query))
    text = client.post("/jobs/preview", data={**given, "engine": "auto"}).text
    assert "20 steps asked; 2 whole epochs of 12 steps make 24." in text
    page = client.get(found.first_job).text
    assert 'aria-invalid="true"' not in page
    assert 'value="256"' in page


def test_each_word_of_a_field_is_in_the_glossary_and_the_field_exists(client):
    page = client.get("/glossary").text
    keys = [term.key for term in glossary.terms()]
    assert len(set(keys)) == len(keys)
    for term in glossary.terms():
        assert f'id="{term.key}"' in page
        assert set(term.fields) <= {*table(), "card"}
    assert 'href="/glossary#rank"' in client.get("/jobs/new").text
