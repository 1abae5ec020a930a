"""The command line says plainly what is wrong, and never with a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from unittest import mock

import pytest
from sqlalchemy.exc import OperationalError

from app import schema
from app.cli import main
from app.settings import ROOT
from tests.support.platform import schema_file

SPEC = "name: dog\nfamily: sd15\nbase_model: null\ndatasets: []\nlength: {steps: 9}\n"


@pytest.fixture
def migrated(tmp_path):
    """A data folder with its database, where what a command says is the point: others make their own."""
    (tmp_path / "data").mkdir()
    shutil.copy(schema_file(), tmp_path / "data")


def environment(tmp_path, **env):
    base = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    # Nobody asks the real Hub.
    base["HF_ENDPOINT"] = "http://127.0.0.1:9"
    return {**base, "DATA_DIR": str(tmp_path / "data"), **env}


def process(tmp_path, *words, **env):
    """The command as a process of its own, which takes about a second."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment(tmp_path, **env),
    )  # fmt: skip


def lora(tmp_path, *words, **env):
    """The same within this process: what it printed and its exit status."""
    out, told = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(tmp_path, **env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(told),
    ):
        status = main(words)
    return subprocess.CompletedProcess(words, status, out.getvalue(), told.getvalue())


@pytest.mark.parametrize(("family", "engine"), [("sd15", "kohya_ss"), ("flux", "ai-toolkit")])
def test_render_needs_neither_database_nor_engine_and_prints_json_alone(tmp_path, engine, family):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("sd15", family))
    out = tmp_path / "out"
    # One as a process of its own is enough to see that the imports suffice.
    run = process if engine == "kohya_ss" else lora
    done = run(tmp_path, "render", str(spec), "--engine", engine, "--out", str(out))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"argv", "cwd", "env"}
    named = [word for word in told["argv"] if word.startswith(str(out))]
    assert len(named) == 1
    assert os.path.isfile(named[0])
    assert "Name the base model" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_refused_spec_names_every_field(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    done = lora(tmp_path, "submit", str(spec))
    assert done.returncode == 2
    assert "base_model: Name the base model" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize("text", ["[", "just words", ""])
def test_what_is_no_spec_is_told(tmp_path, text):
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    done = lora(tmp_path, "submit", str(spec))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("migrated")
def test_a_port_that_is_taken_is_told_with_what_to_set(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = lora(tmp_path, "serve", PORT=str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "Set PORT to another number" in done.stderr


AT_VAST = {"CONTAINER_ID": "7", "PUBLIC_IPADDR": "192.0.2.1", "VAST_TCP_PORT_7860": "40123"}


@pytest.mark.usefixtures("migrated")
@pytest.mark.skipif(sys.platform == "win32", reason="its server is installed there")
@pytest.mark.parametrize(("place", "elsewhere"), [
    (AT_VAST, f"http://192.0.2.1:40123/?token={'a' * 20}"),
    ({}, "this machine's name or address in place of 127.0.0.1"),
], ids=["rented, with no proxy", "another machine"])  # fmt: skip
@pytest.mark.parametrize(("host", "told"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_where_it_listens_to_the_network_it_is_told_how_other_computers_reach_it(
    tmp_path, place, elsewhere, host, told
):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = lora(tmp_path, "serve", "--no-jobs", HOST=host, PORT=port, AUTH_TOKEN="a" * 20, **place)
    assert f"http://127.0.0.1:{port}/?token={'a' * 20}" in done.stdout
    assert (elsewhere in done.stdout) is told


@pytest.mark.usefixtures("migrated")
@pytest.mark.skipif(sys.platform == "win32", reason="its server is installed there")
def test_pages_alone_are_for_windows_and_elsewhere_that_is_said(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = lora(tmp_path, "serve", "--no-jobs", PORT=str(port))
    assert done.returncode == 2
    assert "leave it out" in done.stderr


def test_a_setting_that_makes_no_sense_refuses_to_start(tmp_path):
    done = lora(tmp_path, "serve", PORT="web")
    assert (done.returncode, "PORT is 'web'" in done.stderr) == (2, True)


@pytest.mark.usefixtures("migrated")
def test_doctor_fails_where_no_engine_is_installed_and_says_how_to_get_one(tmp_path):
    done = lora(tmp_path, "doctor", "--json", DISK_SOFT_GB="0")
    assert done.returncode == 1
    lines = {line["what"]: line for line in json.loads(done.stdout)}
    assert "./scripts/bootstrap.sh kohya_ss" in lines["kohya_ss"]["text"]


def test_import_writes_a_spec_and_a_line_for_each_key_that_was_lost(tmp_path):
    source = tmp_path / "gui.json"
    source.write_text(
        json.dumps(
            {"LoRA_type": "Standard", "network_dim": 8, "network_alpha": "4", "learning_rate": "1e-5",
             "optimizer": "AdamW8bit", "epoch": 3, "num_processes": 1, "sdxl": True, "seed": ""}
        )
    )  # fmt: skip
    out = tmp_path / "spec.yaml"
    done = lora(tmp_path, "import", str(source), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "translated sdxl -> family",
        "dropped num_processes: it belongs to the GUI's launcher; a job here is started on its GPUs by itself",
        "translated LoRA_type -> network.type",
        "translated optimizer -> optimizer.name",
    ]
    assert "family: sdxl" in out.read_text()
    assert "name: adamw8bit" in out.read_text()


def test_a_job_that_is_not_there_is_told(tmp_path):
    done = lora(tmp_path, "show", "7")
    assert (done.returncode, "There is no job 7" in done.stderr) == (2, True)
    assert json.loads(lora(tmp_path, "list", "--json").stdout) == []


def test_export_writes_a_folder_with_a_script_and_says_what_it_needs(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("null", "owner/name"))
    out = tmp_path / "out"
    done = lora(tmp_path, "export", str(spec), "--engine", "ai-toolkit", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["needs base_model: owner/name", str(out / "run.sh")]
    assert os.access(out / "run.sh", os.X_OK)
    assert not (tmp_path / "data").exists()


def test_presets_are_listed_with_price_and_source_and_say_how_far_to_trust_them(tmp_path):
    done = lora(tmp_path, "presets", "--family", "flux", "--card", "12")
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first.startswith("UNTESTED SYNTHESIS")
    assert len(rows) == 2
    assert "slower, less detail" in rows[1]
    assert "[sd-scripts" in rows[1]
    assert "There is no model family" in lora(tmp_path, "presets", "--family", "x").stderr


def test_a_card_chooses_the_memory_preset_of_a_rendered_spec(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("sd15", "flux"))
    words = ("render", str(spec), "--engine", "kohya_ss", "--out", str(tmp_path), "--card", "12")
    assert lora(tmp_path, *words).returncode == 0
    assert "blocks_to_swap = 16" in (tmp_path / "config.toml").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: " + "[" * 300 + "]" * 300, "is nested too deeply to be a spec"),
        ("name: a\nfamily: sd15\ndatasets: 5\nlength: {steps: 9}\n", "datasets"),
        ("a: [1", "is not valid YAML"),
        ("a: 2020-13-45", "is not valid YAML"),
        ("5", "holds no spec"),
    ],
)
def test_a_file_that_is_no_spec_is_refused_in_words(tmp_path, text, told):
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    done = lora(tmp_path, "render", str(spec), "--engine", "kohya_ss", "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert told in done.stderr


def test_following_a_log_prints_all_of_it_however_long_also_of_a_job_that_is_over(
    tmp_path, migrated
):
    from app.commands import application
    from app.jobs import store
    from app.jobs.states import JobState

    with mock.patch.dict(os.environ, environment(tmp_path), clear=True), application():
        job = store.add(name="dog", family="sd15", engine="kohya_ss", document="{}")
        store.move(job, JobState.STARTING, attempt=2)
        store.move(job, JobState.FAILED)
    log = tmp_path / "data" / "jobs" / "1" / "attempts" / "2" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {n} of a long log\n" for n in range(20_000)) + "the last words")
    done = lora(tmp_path, "logs", "-f", "1")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20_001
    assert done.stdout.endswith("line 19999 of a long log\nthe last words\n")
    missing = lora(tmp_path, "logs", "1", "--attempt", "7")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "Job 1 has no log of attempt 7; its newest is attempt 2." in missing.stderr


def test_numbers_of_no_job_are_told_as_that(tmp_path):
    assert lora(tmp_path, "migrate").returncode == 0
    done = lora(tmp_path, "show", "9" * 30)
    assert (done.returncode, "There is no job 999" in done.stderr) == (2, True)
    with pytest.raises(SystemExit):
        lora(tmp_path, "list", "--limit", "-5")


@pytest.mark.parametrize("place", ["missing/spec.yaml", "file/spec.yaml", "folder"])
def test_a_place_that_cannot_be_written_is_named_by_every_command(tmp_path, migrated, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    config = tmp_path / "gui.json"
    config.write_text(json.dumps({"LoRA_type": "Standard", "network_dim": 8}))
    out = tmp_path / place
    done = lora(tmp_path, "import", str(config), "--out", str(out))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"vast-lora: {out} cannot be read or written: ")


def test_a_data_folder_that_is_a_file_or_full_is_told(tmp_path):
    (tmp_path / "data").write_text("in the way")
    done = lora(tmp_path, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"vast-lora: {tmp_path / 'data'} cannot be read or written: File exists." in done.stderr


def test_a_database_that_takes_nothing_is_told(tmp_path, migrated, monkeypatch):
    def full(_settings):
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(schema, "migrate", full)
    done = lora(tmp_path, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "vast-lora: the database cannot be used: disk I/O error. Is the disk full?\n"
    )


def test_without_any_home_the_program_still_runs(tmp_path, migrated):
    done = lora(tmp_path, "list", HOME="~")
    assert (done.returncode, done.stderr.startswith("No jobs yet.")) == (0, True)
