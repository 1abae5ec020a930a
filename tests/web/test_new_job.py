"""The form: what it takes, what it refuses, what it shows."""

from __future__ import annotations

import re

import pytest

from app.jobs import service
from app.web import forms
from engines import naming
from engines.fields import table


def test_a_filled_form_makes_a_queued_job(app, client, form):
    answer = client.post("/jobs/", data=form)
    assert (answer.status_code, answer.location) == (303, "/jobs/1")
    with app.app_context():
        job = service.get(1)
        spec = service.spec_of(job)
    assert (job.state, job.engine, spec.trigger_word) == ("queued", "kohya_ss", "zxq")
    assert spec.length.steps == 9


def test_create_dont_start_yet_holds_the_job(app, client, form):
    client.post("/jobs/", data={**form, "hold": "1"})
    with app.app_context():
        assert service.get(1).held


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": "<b>x"}, "name", "Use letters, digits"),
        ({"name": ""}, "name", "This is needed."),
        ({"length.steps": "0"}, "length.steps", "at least 1"),
        ({"optimizer.learning_rate": "abc"}, "optimizer.learning_rate", "must be a number"),
        ({"datasets.0.path": "/nowhere/at/all"}, "datasets.0.path", "There is no folder"),
        ({"datasets.0.path": ""}, "datasets.0.path", "This is needed."),
        ({"base_model": "/nowhere.safetensors"}, "base_model", "There is no /nowhere.safetensors"),
        ({"engine": "ai-toolkit"}, "engine", "ai-toolkit is not installed"),
        ({"ema.enabled": "true"}, "ema.enabled", "has no EMA"),
        ({"optimizer.name": "adamw8bit"}, "optimizer.name", "needs a GPU"),
        ({"engine_options": "kohya_ss: ["}, "engine_options", "not valid YAML"),
        ({"engine_options": "kohya_ss: 2020-13-45"}, "engine_options", "not valid YAML"),
        ({"engine_options": "kohya_ss: &a [*a]"}, "engine_options", "nested too deeply"),
        ({"engine_options": "kohya_ss: {config: {network_dim: 4}}"},
         "engine_options.kohya_ss.config.network_dim", "Set network.rank"),
        ({"engine_options": "kohya_ss: {config: {learning_rat: 4}}"},
         "engine_options.kohya_ss.config.learning_rat", "has no option"),
        ({"family": "sd99"}, "family", "There is no model family"),
        ({"resume": "9" * 900}, "resume", "has written no LoRA"),
        ({"resume": "~nobody-of-that-name/x.safetensors"}, "resume", "There is no "),
        ({"datasets.0.path": "~nobody-of-that-name/x"}, "datasets.0.path", "There is no folder"),
        ({"base_model": "~nobody-of-that-name/x.safetensors"}, "base_model", "There is no "),
    ],
)  # fmt: skip
def test_a_bad_field_is_told_at_its_place_and_nothing_starts(
    app, client, form, changes, field, sentence
):
    answer = client.post("/jobs/", data={**form, **changes})
    assert answer.status_code == 422
    shown_at = field.partition(".kohya_ss")[0]
    assert f'href="#{shown_at}"' in answer.text
    assert f'id="{shown_at}-error"' in answer.text
    assert sentence in answer.text
    with app.app_context():
        assert service.page().jobs == ()


def test_what_was_typed_is_kept_and_escaped(client, form):
    answer = client.post("/jobs/", data={**form, "name": '"><b>', "length.steps": "0"})
    assert 'value="&#34;&gt;&lt;b&gt;"' in answer.text
    assert "<b>" not in answer.text.replace("<body", "").replace("<button", "")
    assert 'id="length.steps-error"' in answer.text
    assert 'value="0"' in answer.text


def test_a_broken_picture_is_named_before_anything_starts(client, form, pictures):
    whole = (pictures / "0.png").read_bytes()
    (pictures / "0.png").write_bytes(whole[: len(whole) // 2])
    answer = client.post("/jobs/", data=form)
    assert answer.status_code == 422
    assert "0.png" in answer.text


def test_an_empty_caption_is_named_because_it_would_stop_the_engine(client, form, pictures):
    (pictures / "1.txt").write_text("")
    answer = client.post("/jobs/", data=form)
    assert answer.status_code == 422
    assert "1.txt" in answer.text


def test_the_preview_shows_the_exact_native_file_and_the_planned_steps(client, form):
    answer = client.post("/jobs/preview", data={**form, "length.steps": "10", "network.rank": "7"})
    assert answer.status_code == 200
    assert "network_dim = 7" in answer.text
    assert "10 steps asked; 4 whole epochs of 3 steps make 12." in answer.text
    assert "train_network.py" in answer.text


def test_the_preview_has_something_to_show_before_anything_is_typed(client):
    answer = client.post("/jobs/preview", data={"family": "sd15", "length.steps": "5"})
    assert "pretrained_model" not in answer.text.split("<pre")[0]
    assert 'href="#name"' in answer.text
    assert "config.toml" in answer.text


def test_without_javascript_a_button_adds_a_dataset_and_keeps_the_rest(client, form):
    answer = client.post("/jobs/new", data={**form, "add_dataset": "1"})
    assert 'name="datasets.1.path"' in answer.text
    assert 'value="dog"' in answer.text


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/data/ohwx dog", "ohwx-dog"),
        ("10_ohwx dog/", "10_ohwx-dog"),
        ("dog.v2", "dog.v2"),
        ("/data/犬", ""),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_job_begun_at_a_dataset_is_named_after_it(client, folder, name):
    page = client.get("/jobs/new", query_string={"datasets.0.path": folder}).text
    (field,) = re.findall(r'<input[^>]* name="name"[^>]*>', page)
    assert f'value="{name}"' in field
    assert not name or re.fullmatch(naming.PATTERN, name)


def test_another_family_brings_its_own_usual_model(client, form):
    answer = client.post("/jobs/fields", data={**form, "family": "flux", "base_model": ""})
    assert "black-forest-labs/FLUX.1-dev" in answer.text
    assert 'name="components.t5xxl"' in answer.text


def test_every_advanced_field_has_its_help_and_both_engines_names(client):
    page = client.get("/jobs/new").text
    for path, row in table().items():
        if path in ("version", "components", "family", "base_model", "engine"):
            continue
        assert f'name="{path.replace("[]", ".0")}"' in page, path
        assert row.help.split(";")[0][:30].replace("'", "&#39;") in page, path
    assert "kohya: network_dim · ai-toolkit: network.linear" in page


def test_a_clone_fills_the_form_with_what_the_job_asked_for(client, job):
    page = client.get("/jobs/new?clone=1").text
    assert 'value="dog-2"' in page
    assert 'value="zxq"' in page


def test_a_document_survives_the_way_through_the_form(app, client, job):
    with app.app_context():
        document = service.clone(service.get(1))
        again, errors = forms.read(forms.fill(document))
        assert errors == {}
        from engines.spec import JobSpec

        assert JobSpec.model_validate(again) == JobSpec.model_validate(document)


def test_a_form_that_lacks_much_hears_of_all_at_once_and_is_the_new_job_page_still(client):
    answer = client.post("/jobs/", data={"family": "sdxl", "length.steps": "0"})
    told = answer.text.partition('role="alert"')[2].partition("</ul>")[0]
    for anchor in ("name", "datasets.0.path", "length.steps"):
        assert f'href="#{anchor}"' in told, anchor
    assert 'href="/jobs/new" aria-current="page"' in answer.text


def test_a_missing_engine_is_told_on_the_form_with_the_command(client):
    page = client.get("/jobs/new?family=sdxl").text
    assert "ai-toolkit (not installed)" in page
    assert 'ai-toolkit is <a href="/engines">not installed</a>, so auto takes kohya_ss.' in page


def test_a_kohya_training_folder_is_opened_into_datasets_with_repeats(app, client, form, pictures):
    parent = pictures.parent / "kohya"
    (parent / "5_zxq").parent.mkdir()
    pictures.rename(parent / "5_zxq")
    answer = client.post("/jobs/", data={**form, "datasets.0.path": str(parent)})
    assert answer.status_code == 303
    with app.app_context():
        job = service.get(1)
        (dataset,) = service.spec_of(job).datasets
        assert (dataset.path, dataset.repeats) == (str(parent / "5_zxq"), 5)
        assert "became 1 dataset" in job.notes


def test_complaints_stand_in_the_order_of_the_page(client, form):
    wrong = {
        "optimizer.learning_rate": "abc",
        "length.steps": "-5",
        "name": "a b",
        "batch.size": "x",
    }
    page = client.post("/jobs/", data={**form, **wrong}).text
    notice = page.partition("Nothing was started.")[2].partition("</ul>")[0]
    links = [part.partition('"')[0] for part in notice.split('href="#')[1:]]
    assert links == ["name", "length.steps", "optimizer.learning_rate", "batch.size"]


def test_a_gpu_that_is_no_number_is_no_choice_and_holds_up_no_queue(app, client, form):
    """``²`` is a digit to Python, and no number."""
    assert client.post("/jobs/", data={**form, "gpu": "²"}).status_code == 303
    assert client.post("/jobs/", data={**form, "gpu": "1"}).status_code == 303
    with app.app_context():
        assert [service.get(number).gpu_choice for number in (1, 2)] == ["", "1"]
