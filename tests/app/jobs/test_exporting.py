"""An exported job runs from wherever it was unpacked, by its script alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile

import pytest
import yaml

from app.errors import InvalidSpecError
from app.jobs import exporting
from app.jobs.engine_options import Known
from app.settings import Settings
from engines.spec import JobSpec
from tests.support.pictures import folder

STAND_IN = """
import json, os, pathlib, sys, tomllib, yaml
text = pathlib.Path(sys.argv[-1]).read_text("utf-8")
toml = sys.argv[-1].endswith(".toml")
config = tomllib.loads(text) if toml else yaml.safe_load(text)["config"]["process"][0]
told = {"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ), "config": config}
if toml:
    told["dataset"] = tomllib.loads(pathlib.Path(config["dataset_config"]).read_text("utf-8"))
    told["prompts"] = pathlib.Path(config["sample_prompts"]).read_text("utf-8")
out = pathlib.Path(config["output_dir" if toml else "training_folder"])
(out / "told.json").write_text(json.dumps(told))
"""
SCRIPTS = {"kohya_ss": "train_network.py", "ai-toolkit": "run.py"}


@pytest.fixture
def settings(tmp_path):
    env = {
        "DATA_DIR": str(tmp_path / "data"),
        "AUTH_TOKEN": "s3cret-token",
        "HF_TOKEN": "hf_s3cret",
    }
    for engine, script in SCRIPTS.items():
        home = tmp_path / f"its {engine}"
        home.mkdir()
        (home / script).write_text(STAND_IN)
        prefix = engine.upper().replace("-", "_")
        env |= {f"{prefix}_DIR": str(home), f"{prefix}_PYTHON": sys.executable}
    return Settings.from_env(env)


@pytest.fixture
def document(tmp_path):
    pictures = folder(tmp_path / "it's a dog", count=3, caption=None)
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"")
    return {
        "name": "dog", "family": "sd15", "base_model": str(model), "length": {"steps": 10},
        "datasets": [{"path": str(pictures), "resolution": 64}], "sampling": {"prompts": ["a dog"]},
    }  # fmt: skip


class ShippedLists:
    """Says at once that an engine accepts what the shipped list holds."""

    def now(self, installation):
        return Known(installation.engine.shipped_options())


def export(document, engine, settings):
    return exporting.export(document, engine, settings, ShippedLists())


def start(folder, **env):
    base = {"PATH": os.environ["PATH"], **env}
    return subprocess.run(
        [str(folder / "run.sh")], capture_output=True, text=True, timeout=30, env=base, cwd="/"
    )


@pytest.mark.parametrize("engine", SCRIPTS)
def test_it_runs_from_a_folder_of_any_name_without_us(tmp_path, settings, document, engine):
    made = export(document, engine, settings)
    folder = tmp_path / "un \"packed\" \\n & 'here' $HOME # [ü] %s"
    exporting.written(made, folder)
    done = start(folder)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads((folder / "output" / "told.json").read_text())
    assert told["cwd"] == str(settings.data_dir.parent / f"its {engine}")
    assert told["env"]["PYTHONUNBUFFERED"] == "1"
    assert "AITK_JOB_ID" not in told["env"]
    assert "sqlite_db_path" not in told["config"]
    if engine == "kohya_ss":
        pictures = document["datasets"][0]["path"]
        assert told["dataset"]["datasets"][0]["subsets"][0]["image_dir"] == pictures
        assert told["config"]["logging_dir"] == str(folder / "logs")
        assert told["prompts"].startswith("a dog ")
        # Three pictures: the 10 steps asked for are four whole epochs, as in a job.
        assert told["config"]["max_train_epochs"] == 4


def test_the_engine_and_the_cards_of_the_environment_come_first(tmp_path, settings, document):
    exporting.written(export(document, "ai-toolkit", settings), tmp_path / "out")
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.py").write_text(STAND_IN)
    done = start(tmp_path / "out", AI_TOOLKIT_DIR=str(other), CUDA_VISIBLE_DEVICES="3")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out/output/told.json").read_text())
    assert (told["cwd"], told["env"]["CUDA_VISIBLE_DEVICES"]) == (str(other), "3")
    missing = start(tmp_path / "out", AI_TOOLKIT_DIR="/nowhere")
    assert missing.returncode == 1
    assert "Set AI_TOOLKIT_DIR" in missing.stderr


def test_a_missing_path_is_told_until_native_names_another(tmp_path, settings, document):
    folder = tmp_path / "out"
    exporting.written(export(document, "kohya_ss", settings), folder)
    model = tmp_path / "model.safetensors"
    elsewhere = model.rename(tmp_path / "moved.safetensors")
    done = start(folder)
    assert done.returncode == 1
    assert f"There is no {model}" in done.stderr
    config = folder / "native" / "config.toml"
    config.write_text(config.read_text().replace(str(model), str(elsewhere)))
    assert start(folder).returncode == 0


@pytest.mark.parametrize("engine", SCRIPTS)
def test_the_zip_holds_the_spec_the_native_files_and_no_secret(settings, document, engine):
    made = export(document, engine, settings)
    with zipfile.ZipFile(io.BytesIO(exporting.zipped(made))) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    top = f"dog-{engine}"
    assert modes[f"{top}/run.sh"] & 0o111
    assert {f"{top}/{name}" for name in ("README.txt", "spec.yaml", "run.sh")} < set(texts)
    spec = JobSpec.model_validate(yaml.safe_load(texts[f"{top}/spec.yaml"]))
    assert (spec.engine, spec.length.steps) == (engine, 10)
    assert "s3cret" not in "".join(texts.values())
    readme = texts[f"{top}/README.txt"]
    assert document["base_model"] in readme
    assert document["datasets"][0]["path"] in readme


def test_an_incomplete_spec_is_exported_with_what_it_lacks(settings, document):
    given = {**document, "family": "flux", "base_model": None, "datasets": [{"path": ""}]}
    made = export(given, "kohya_ss", settings)
    said = " ".join(made.notes)
    for part in ("base_model:", "datasets.0.path:", "components.clip_l:"):
        assert part in said
    counted = {**document, "family": "flux"}
    assert "components.ae:" in " ".join(export(counted, "kohya_ss", settings).notes)


def test_what_the_engine_refuses_is_not_exported(settings, document):
    with pytest.raises(InvalidSpecError, match="no EMA"):
        export({**document, "ema": {"enabled": True}}, "kohya_ss", settings)
