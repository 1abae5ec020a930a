"""The fields of the form: greyed out where they cannot be had, kept where they hold something."""

from __future__ import annotations

import re

import pytest

from app.gpu import Gpu
from app.jobs import service
from app.platform import EXTENSION
from app.web import forms
from app.web.field_views import brief
from tests.support import engines
from tests.support.platform import FakeGpus, make_app

CONTROL = "engine_options.ai-toolkit.datasets.0.control_path"
DRAWN = "engine_options.ai-toolkit.sample.samples[].ctrl_img"


def fields(client, **values):
    """The fragment of fields, for a form with these values."""
    answer = client.post("/jobs/fields", data={"name": "dog", "length.steps": "9", **values})
    assert answer.status_code == 200
    return answer.text


def control(page, name):
    """The tag of one input."""
    found = re.search(rf'<(?:input|select|textarea)\b[^>]* id="{re.escape(name)}"[^>]*>', page)
    assert found, name
    return found[0]


def part(page, name):
    """The whole field of one input."""
    start = page.index(f'<label for="{name}"')
    return page[start : page.index("</div>", start)]


@pytest.fixture
def both(tmp_path):
    """A client of a machine with both engines."""
    return make_app(tmp_path / "both", engines.make(tmp_path / "engines")).test_client()


@pytest.fixture
def card(app):
    """A GPU of 24 GB."""
    gpu = Gpu(0, "GPU-1", "NVIDIA GeForce RTX 4090", memory_total=24 * 2**30)
    app.extensions[EXTENSION].gpus = FakeGpus(gpu)


def test_what_the_engine_cannot_do_is_disabled_with_its_reason_beside_it(client):
    page = fields(client, family="sdxl", engine="kohya_ss")
    tag = control(page, "ema.enabled")
    assert " disabled" in tag
    assert 'aria-describedby="ema.enabled-help ema.enabled-why"' in tag
    assert 'id="ema.enabled-why">kohya_ss has no EMA.</small>' in page
    assert " disabled" not in control(page, "buckets.step")
    assert " disabled" in control(
        fields(client, family="sdxl", engine="ai-toolkit"), "buckets.step"
    )


def test_single_choices_are_disabled_and_the_help_says_why(client):
    field = part(fields(client, family="sdxl", engine="ai-toolkit"), "network.type")
    assert '<option value="loha" disabled>loha (not possible)</option>' in field
    assert '<option value="lokr">lokr</option>' in field
    assert "ai-toolkit has no loha that works; it would train a plain LoRA." in field


def test_auto_greys_out_what_the_only_installed_engine_cannot_do(client):
    page = fields(client, family="sdxl", engine="auto")
    assert " disabled" in control(page, "ema.enabled")
    assert " disabled" not in control(page, "buckets.step")


def test_without_a_chosen_engine_a_field_says_who_alone_can(both):
    page = fields(both, family="sdxl", engine="auto")
    assert " disabled" not in control(page, "ema.enabled")
    assert "ai-toolkit only." in part(page, "ema.enabled")
    assert "dora (kohya_ss only)" in part(page, "network.type")


def test_a_value_that_the_new_engine_cannot_take_stays_until_it_is_left_out(client):
    form = {"family": "sdxl", "engine": "kohya_ss", "ema.enabled": "true", "network.type": "dora"}
    page = fields(client, **form)
    assert " disabled" not in control(page, "ema.enabled")
    assert 'aria-invalid="true"' in control(page, "ema.enabled")
    assert "kohya_ss has no EMA; switch it off or choose ai-toolkit." in part(page, "ema.enabled")
    assert 'name="leave_out" value="ema.enabled"' in page
    assert '<details id="section-ema" open>' in page
    left = fields(client, **form, leave_out="ema.enabled")
    assert " disabled" in control(left, "ema.enabled")
    other = part(fields(client, **{**form, "engine": "ai-toolkit"}), "network.type")
    assert '<option value="dora" selected>' in other
    assert 'name="leave_out" value="network.type"' in other


def test_a_value_that_asks_for_nothing_is_no_complaint(client):
    page = fields(client, family="sdxl", engine="kohya_ss", **{"ema.enabled": "false"})
    assert "leave_out" not in page
    page = fields(client, family="sdxl", engine="kohya_ss", **{"memory.offload": "0.0"})
    assert "leave_out" not in page


def test_without_javascript_a_button_leaves_a_value_out(client):
    data = {"family": "sdxl", "engine": "kohya_ss", "ema.enabled": "true", "name": "dog"}
    page = client.post("/jobs/new", data={**data, "leave_out": "ema.enabled"}).text
    assert " disabled" in control(page, "ema.enabled")
    assert 'value="dog"' in control(page, "name")


def test_the_engine_follows_a_model_that_one_alone_trains(client):
    page = fields(client, family="qwen_image", engine="kohya_ss")
    assert '<select id="engine"' not in page
    assert 'name="engine" value="auto"' in page
    assert "Trained by ai-toolkit" in page


def test_parts_are_asked_for_only_where_the_engine_needs_them(client):
    assert 'name="components.t5xxl"' in fields(client, family="flux", engine="kohya_ss")
    assert 'name="components.t5xxl"' not in fields(client, family="flux", engine="ai-toolkit")
    kept = fields(client, family="flux", engine="ai-toolkit", **{"components.t5xxl": "/t5"})
    assert "ai-toolkit takes no t5xxl for this model." in part(kept, "components.t5xxl")


def test_known_words_are_offered_for_what_the_engine_has(client):
    page = fields(client, family="sdxl", engine="ai-toolkit")
    offers = page[page.index('id="optimizer.name-offers"') :].split("</datalist>")[0]
    assert '<option value="prodigy">' in offers
    assert '<option value="lion">' not in offers
    assert '<option value="cosine">cosine</option>' in part(page, "optimizer.scheduler")


def test_a_family_has_its_own_inputs_and_they_stand_natively_in_the_document(client):
    assert f'name="{CONTROL}"' not in fields(client, family="sdxl")
    values = {"family": "qwen_image_edit", CONTROL: "/before", DRAWN: "/a.png\n\n/c.png"}
    page = fields(client, **values)
    assert 'value="/before"' in control(page, CONTROL)
    document, errors = forms.read(values)
    assert errors == {}
    assert document["engine_options"] == {
        "ai-toolkit": {
            "datasets": [{"control_path": "/before"}],
            "sample": {"samples": [{"ctrl_img": "/a.png"}, {}, {"ctrl_img": "/c.png"}]},
        }
    }
    assert forms.fill(document) == values


def test_family_inputs_join_what_is_typed_as_engine_options_and_have_their_kind():
    values = {
        "family": "wan22_14b:t2v",
        "engine_options": "ai-toolkit:\n  datasets:\n    0: {num_workers: 1}\n  train: {x: 1}",
        "engine_options.ai-toolkit.datasets.0.num_frames": "41",
        "engine_options.ai-toolkit.model.model_kwargs.train_low_noise": "false",
    }
    document, errors = forms.read(values)
    assert errors == {}
    native = document["engine_options"]["ai-toolkit"]
    assert native["datasets"] == {0: {"num_workers": 1, "num_frames": 41}}
    assert native["model"]["model_kwargs"] == {"train_low_noise": False}
    again = forms.fill(document)
    assert {key: again[key] for key in values if key != "engine_options"} == {
        key: value for key, value in values.items() if key != "engine_options"
    }
    assert forms.read(again)[0] == document


@pytest.mark.parametrize("text", ["many", "1.5", "[]"])
def test_a_family_input_of_the_wrong_kind_is_told_at_its_field(client, text):
    name = "engine_options.ai-toolkit.datasets.0.num_frames"
    _, errors = forms.read({"family": "wan22_14b:t2v", name: text})
    assert errors == {name: f"This must be a whole number; {text!r} is not."}


def test_a_place_far_outside_the_datasets_is_refused_and_costs_nothing():
    name = "engine_options.ai-toolkit.datasets.99999999.control_path"
    _, errors = forms.read({"family": "qwen_image_edit", name: "/x"})
    assert set(errors) == {name}


def test_an_input_of_another_family_goes_to_the_engine_options_and_comes_back():
    values = {"family": "sdxl", CONTROL: "/before"}
    forms.settle(values)
    assert values["engine_options"] == "ai-toolkit:\n  datasets:\n  - control_path: /before"
    assert CONTROL not in values
    values["family"] = "qwen_image_edit"
    forms.settle(values)
    assert (values[CONTROL], values["engine_options"]) == ("/before", "")


def test_missing_control_pictures_are_told_at_their_input_and_the_preview_still_shows(client, form):
    data = {**form, "family": "qwen_image_edit", "engine": "auto", "datasets.0.resolution": "512"}
    answer = client.post("/jobs/", data=data)
    assert answer.status_code == 422
    assert f'href="#{CONTROL}"' in answer.text
    assert f'id="{CONTROL}-error"' in answer.text
    assert "name the folder of those to change" in part(answer.text, CONTROL)
    assert "folder_path" in answer.text


def test_the_memory_preset_fills_defaults_and_is_carried_into_the_job(app, client, form, card):
    one = {"family": "sd15", "engine": "kohya_ss"}  # by both, what either cannot take is no default
    data = {**form, **one, "memory.mixed_precision": "bf16", "network.alpha": "1"}
    assert 'placeholder="8"' in control(fields(client, **one), "batch.size")
    page = fields(client, **one, card="12")
    assert 'placeholder="4"' in control(page, "batch.size")
    assert '<option value="12" selected>12 GB</option>' in page
    assert "price: longer steps" in page
    assert "UNTESTED" in page
    assert "Nothing has to be given up" in fields(client, **one, card="8")
    assert client.post("/jobs/", data={**data, "card": "12"}).status_code == 303
    with app.app_context():
        assert service.spec_of(service.get(1)).batch.size == 4


def test_a_card_smaller_than_any_source_speaks_of_is_said_in_plain_words(client, card):
    assert "auto: 24 GB, RTX 4090" in fields(client, family="flux")
    page = fields(client, family="flux", engine="ai-toolkit", card="12")
    assert "flux will probably not fit: sources train it on 24 GB and more." in page
    page = fields(client, family="flux", engine="auto", card="12")
    assert "On 12 GB only kohya_ss will probably fit; choose it." in page


def test_without_a_gpu_the_preset_is_greyed_out_and_says_why(client):
    page = fields(client, family="sdxl")
    assert " disabled" in control(page, "card")
    assert "This machine has no GPU" in page


def test_a_default_that_the_model_or_the_card_changed_names_its_source(client, card):
    field = part(fields(client, family="sdxl", engine="kohya_ss"), "batch.size")
    assert "Default from half of what sd-scripts states" in field
    assert "price: longer steps." in field


def test_the_preview_names_the_field_behind_each_line(client, form):
    page = client.post("/jobs/preview", data={**form, "network.rank": "7"}).text
    line = next(row for row in page.split("\n") if "network_dim = 7" in row)
    assert '<a href="#network.rank">Rank</a>' in line
    assert 'data-of="network.rank"' in line
    own = next(row for row in page.split("\n") if "<code>logging_dir" in row)
    assert "data-of" not in own
    assert "Steps asked" in page
    given = {**form, "engine_options": "kohya_ss: {config: {min_timestep: 5}}"}
    page = client.post("/jobs/preview", data=given).text
    line = next(row for row in page.split("\n") if "min_timestep = 5" in row)
    assert 'class="of options"' in line


@pytest.mark.parametrize(
    ("sentence", "short"),
    [
        ("kohya_ss has no EMA; switch it off or choose ai-toolkit.", "kohya_ss has no EMA."),
        ("It would train. Use lora, locon or lokr.", "It would train."),
        ("One way; it is fixed; leave it empty.", "One way; it is fixed."),
        ("No a; set 0. No b; use none.", "No a. No b."),
        ("", ""),
    ],
)
def test_a_reason_is_given_without_the_advice_for_those_who_asked(sentence, short):
    assert brief(sentence) == short
