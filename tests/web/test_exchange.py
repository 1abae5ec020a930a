"""Configs in and out by the pages: import, export, and a clone for the other engine."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest
import yaml

from app import cli
from app.jobs import service
from app.web import exchange, forms
from engines.spec import JobSpec

TOML = """
pretrained_model_name_or_path = "/models/sd15.safetensors"
dataset_config = "/home/me/pictures.toml"
network_module = "networks.lora"
network_dim = 8
learning_rate = 1.2345678e-4
max_train_steps = 100
output_name = "dog"
num_processes = 1
"""
DATASET = """
[[datasets]]
resolution = 512
[[datasets.subsets]]
image_dir = "/data/dog"
num_repeats = 7
"""
YAML = """
job: extension
config:
  name: cat
  process:
  - type: sd_trainer
    trigger_word: zxq
    network: {type: lora, linear: 8, linear_alpha: 8}
    train: {steps: 50, lr: 1e-4, optimizer: adamw8bit}
    model: {name_or_path: black-forest-labs/FLUX.1-dev, is_flux: true}
    datasets:
    - {folder_path: /data/cat, resolution: [512]}
"""
SPEC = {
    "name": "dog", "family": "sd15", "base_model": "/m.safetensors", "length": {"steps": 9},
    "datasets": [{"path": "/data/dog", "repeats": 3}, {"path": "/data/two", "flip": True}],
    "optimizer": {"learning_rate": 1.2345678e-4, "arguments": {"betas": [0.9, 0.95]}},
    "engine_options": {"kohya_ss": {"config": {"ddp_timeout": 30}}},
}  # fmt: skip


def upload(client, files=(), text=""):
    chosen = [(io.BytesIO(content.encode()), name) for name, content in files]
    return client.post(
        "/jobs/import", data={"files": chosen, "text": text}, content_type="multipart/form-data"
    )


def test_a_training_config_and_its_dataset_config_fill_the_form(app, client):
    answer = upload(client, [("pictures.toml", DATASET), ("dog.toml", TOML)])
    assert answer.status_code == 200
    page = answer.text
    assert "Imported from dog.toml" in page
    assert "1 dropped" in page
    assert "num_processes: " in page
    for value in ("/models/sd15.safetensors", "/data/dog", "0.00012345678"):
        assert f'value="{value}"' in page, value
    with app.app_context():
        assert service.page().jobs == ()


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        (YAML, "an ai-toolkit config", "/data/cat"),
        (json.dumps(yaml.safe_load(YAML)), "an ai-toolkit config", "/data/cat"),
        ("{ // a word\n" + json.dumps(yaml.safe_load(YAML))[1:], "an ai-toolkit config", "zxq"),
        (TOML, "a kohya_ss config", "/models/sd15.safetensors"),
        (json.dumps({"LoRA_type": "Standard", "train_data_dir": "/data/old", "epoch": 3}),
         "a kohya_ss config", "/data/old"),
        (yaml.safe_dump(SPEC), "a spec of this program", "/data/two"),
    ],
)  # fmt: skip
def test_a_pasted_text_is_recognised_by_its_content(client, text, what, value):
    answer = upload(client, text=text)
    assert answer.status_code == 200, answer.text
    assert "Imported from Pasted text" in answer.text
    assert what in answer.text
    assert f'value="{value}"' in answer.text


def test_a_spec_of_ours_comes_back_as_it_was():
    again, errors = forms.read(forms.fill(SPEC))
    assert errors == {}
    assert JobSpec.model_validate(again) == JobSpec.model_validate(SPEC)


def test_what_the_config_left_open_is_named_at_its_place(client):
    preset = json.dumps({"LoRA_type": "Standard", "epoch": 3, "network_dim": 8})
    page = upload(client, [("preset.json", preset)]).text
    assert '<a href="#base_model">Base model</a>: None was named' in page
    assert 'href="#datasets.0.path"' in page
    # The native files are shown all the same.
    assert "dataset.toml" in page


@pytest.mark.parametrize(
    ("files", "text", "sentence"),
    [
        ((), "", "Nothing was given"),
        ((), "  \n", "Nothing was given"),
        ((), "config: {process: [\n  a: 1", "no valid YAML"),
        ([("a.yaml", "config:\n  name: [x\n")], "", "line 3, column 1"),
        ([("a.toml", "network_dim = 8\nx = = 1")], "", "line 2, column 5"),
        ([("a.json", '{\n "a": 1\n "b": 2}')], "", "at line 3, column 2"),
        ([("a.toml", "lr = 1.0\n")], "", "trains no LoRA"),
        ([("a.txt", "a dog\n")], "", "prompts alone"),
        ([("a.json", '[{"prompt": "a dog"}]')], "", "prompts alone"),
        ([("a.toml", '[[prompt.subset]]\nprompt = "a dog"\n')], "", "prompts alone"),
        ([("a.json", "[5]")], "", "it must be a mapping"),
        ([("a.toml", DATASET)], "", "It is a dataset config"),
        ([("a.toml", TOML), ("b.yaml", YAML)], "", "are two trainings"),
        ((), "just words", "it must be a mapping"),
        ((), yaml.safe_dump({**SPEC, "netwerk": {}}), "There is no field"),
        ((), "version: 1\nfamily: sd15\nlength: " + "[" * 500, "nested too deeply"),
        ((), "config: &a {process: [*a]}", "nested too deeply"),
        ([("a.json", '{"config": ' + '{"a": ' * 500 + "1" + "}" * 501)], "", "nested too deeply"),
        ([("a.toml", "network_dim = " + "[" * 2000 + "]" * 2000)], "", "nested too deeply"),
        ((), YAML + "    x: 2020-13-45\n", "no valid YAML: a value is not of its type: month"),
        ([("a.json", '{"network_dim": ' + "9" * 5000 + "}")], "", "no valid JSON"),
        ([("a.toml", "network_dim = " + "9" * 5000)], "", "no valid TOML"),
    ],
)  # fmt: skip
def test_what_is_no_config_is_told_and_the_text_is_kept(client, files, text, sentence):
    answer = upload(client, files, text)
    assert answer.status_code == 422
    assert "Nothing was imported." in answer.text
    assert sentence in answer.text
    if text.strip() and not files:
        assert 'placeholder="Paste it here">' + text[:7].replace('"', "&#34;") in answer.text


def test_a_file_that_is_no_text_is_refused(client):
    data = {"files": [(io.BytesIO(b"\xff\xfe\x00x"), "a.json")]}
    answer = client.post("/jobs/import", data=data, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "a.json is no text" in answer.text


@pytest.mark.parametrize("field", ["text", "files"])
def test_more_than_2_mb_are_refused_on_the_same_page(client, field, monkeypatch):
    assert exchange.MOST_BYTES == 2 * 1024 * 1024
    # The test client itself would keep a body of more than 500 kB in a file.
    monkeypatch.setattr(exchange, "MOST_BYTES", 1000)
    much = "a" * 1001
    answer = upload(client, text=much) if field == "text" else upload(client, [("a.json", much)])
    assert answer.status_code == 422
    assert "more than 2 MB" in answer.text


def test_aliases_that_stand_for_billions_are_refused_at_once(client):
    bomb = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{{', '.join(f'k{k}: *a{n - 1}' for k in range(10))}}}\n"
        for n in range(1, 12)
    )
    assert "more than 20000 values" in upload(client, text=bomb).text


def test_an_import_from_another_site_is_refused(client):
    answer = client.post(
        "/jobs/import", data={"text": YAML}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def opened(answer):
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist()}


def test_the_form_is_exported_as_it_is_shown(app, client, form):
    files = opened(client.post("/jobs/export", data=form))
    assert "run.sh" in files
    # Three pictures in whole epochs, as the preview says.
    assert "max_train_epochs = 3" in files["native/config.toml"]
    assert 'formaction="/jobs/export"' in client.post("/jobs/preview", data=form).text
    refused = client.post("/jobs/export", data={**form, "ema.enabled": "true"})
    assert refused.status_code == 422
    assert "has no EMA" in refused.text
    with app.app_context():
        assert service.page().jobs == ()


def test_a_jobs_export_names_what_it_needs(client, job, form):
    answer = client.get("/jobs/1/export.zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dog-kohya_ss-1.zip"'
    files = opened(answer)
    assert form["base_model"] in files["README.txt"]
    assert form["datasets.0.path"] in files["README.txt"]
    assert JobSpec.model_validate(yaml.safe_load(files["spec.yaml"])).engine == "kohya_ss"


def test_a_job_is_cloned_for_the_other_engine_with_what_changes(client, job):
    page = client.get("/jobs/1").text
    assert 'href="/jobs/1/for/ai-toolkit"' in page
    assert 'href="/jobs/1/export.zip"' in page
    clone = client.get("/jobs/1/for/ai-toolkit")
    assert clone.status_code == 200
    assert 'value="dog-2"' in clone.text
    assert '<option value="ai-toolkit" selected>' in clone.text
    assert "<code>kohya_ss</code> → <code>ai-toolkit</code>" in clone.text
    assert client.get("/jobs/1/for/nobody").status_code == 404


def test_clone_on_the_command_line_writes_a_spec_and_a_line_for_each_change(
    job, app, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    out = tmp_path / "spec.yaml"
    assert cli.main(["clone", "1", "--engine", "ai-toolkit", "--out", str(out)]) == 0
    assert JobSpec.model_validate(yaml.safe_load(out.read_text())).engine == "ai-toolkit"
    told = capsys.readouterr()
    assert 'engine: "kohya_ss" -> "ai-toolkit": the job is for ai-toolkit now' in told.out
    assert "at exactly the steps given" in told.err


def test_an_empty_list_leads_to_the_import_which_stands_open_from_the_first_frame(client):
    (link,) = re.findall(r'<a href="(/jobs/new\?import)">', client.get("/").text)
    assert '<details class="import" id="import" open>' in client.get(link).text
    assert '<details class="import" id="import">' in client.get("/jobs/new").text
