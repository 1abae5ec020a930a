"""A third engine is added as ARCHITECTURE.md says, and touches nothing else: a folder and one line.

A copy of the program gets both, and runs a job with it: through the checks, the registry, the
supervisor, the runner, the toy's own trainer, and back by its log; then its pages are looked at, and
the tests that walk the engines hold it to what they ask of the others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from app.settings import ROOT
from tests.support.pictures import picture

pytestmark = pytest.mark.e2e  # real processes

TOY = ROOT / "tests" / "support" / "toy"
LINE = '    "toy": "engines.toy:Toy",\n'
ROWS = """| `TOY_DIR` | ENGINES_DIR/toy | A checkout of toy to use. |
| `TOY_PYTHON` | ENGINES_DIR/venv-toy/bin/python | The interpreter that runs toy. |
"""
WALKS = (
    "tests/engines/test_abilities.py", "tests/engines/test_families.py", "tests/engines/test_presets.py",
    "tests/engines/test_no_field_is_dropped.py", "tests/engines/test_switching.py",
    "tests/app/test_settings.py", "tests/docs", "tests/web/test_new_job.py", "tests/web/test_new_job_fields.py",
)  # fmt: skip

# Runs in the copy, in a process of its own: here the engines are registered already.
VISIT = """
import contextlib, io, json, os, sys
from app import create_app
from app.cli import main
from app.settings import Settings
from engines import abilities, families, switching

spec, refused = sys.argv[1:]

def command(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()

client = create_app(Settings.from_env(os.environ)).test_client()
document = {"name": "a", "family": "sd15", "engine": "kohya_ss", "base_model": "/b",
            "datasets": [{"path": "/d"}], "length": {"steps": 5}, "network": {"dropout": 0.5},
            "engine_options": {"kohya_ss": {"config": {"ddp_timeout": 30}}}}
print(json.dumps({
    "run": command("run", spec, "--json"),
    "refused": command("submit", refused),
    "pages": {path: [(answer := client.get(path)).status_code, answer.text] for path in
              ("/engines", "/jobs/new?family=sd15&engine=toy", "/jobs/1", "/jobs/1/stop", "/system")},
    "able": families.get("sd15").engines,
    "unavailable": dict(abilities.limits("sd15", "toy").unavailable),
    "switched": switching.switch(document, "toy").document,
}))
"""


def add_the_toy(copy):
    """What the chapter "Adding an engine" says, and no more."""
    (copy / "engines" / "toy").mkdir()
    shutil.copy(TOY / "engine.py", copy / "engines" / "toy" / "__init__.py")
    put_before(copy / "engines" / "registry.py", '    "kohya_ss":', LINE)
    put_before(copy / "README.md", "| `AI_TOOLKIT_SOURCE`", ROWS)
    again = [sys.executable, "-m", "scripts.api_reference"]
    subprocess.run(again, cwd=copy, env=plain(copy), check=True, stdout=subprocess.DEVNULL)


def put_before(path, mark, text):
    head, found, tail = path.read_text().partition(mark)
    assert found, f"{path.name} has {mark}"
    path.write_text(head + text + found + tail)


def plain(home):
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the program with the toy in it."""
    copy = tmp_path_factory.mktemp("third") / "checkout"
    copy.mkdir()
    for entry in ROOT.iterdir():
        if entry.name in ("app", "engines", "scripts", "docs"):
            quiet = shutil.ignore_patterns("__pycache__")
            shutil.copytree(entry, copy / entry.name, ignore=quiet)
        elif entry.name == "README.md":
            shutil.copy(entry, copy)
        elif entry.name not in (".git", "data"):
            (copy / entry.name).symlink_to(entry)
    add_the_toy(copy)
    return copy


@pytest.fixture(scope="module")
def visit(copy):
    """What the copy with the toy answered, and the folder of its only job."""
    home = copy.parent
    (home / "toy").mkdir()
    shutil.copy(TOY / "train.py", home / "toy")
    (home / "dog").mkdir()
    picture(home / "dog" / "one.png", (64, 64))
    (home / "base.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    document = {
        "name": "ohwx", "family": "sd15", "engine": "toy", "network": {"rank": 3},
        "base_model": str(home / "base.safetensors"), "datasets": [{"path": str(home / "dog")}],
        "length": {"steps": 6},
    }  # fmt: skip
    (home / "spec.yaml").write_text(yaml.safe_dump(document))
    refused = {**document, "network": {"rank": 3, "dropout": 0.5}}
    (home / "refused.yaml").write_text(yaml.safe_dump(refused))
    env = {
        **plain(home), "DATA_DIR": str(home / "data"),
        "TOY_DIR": str(home / "toy"), "TOY_PYTHON": sys.executable, "HF_HUB_OFFLINE": "1",
        "DISK_SOFT_GB": "0", "DISK_HARD_GB": "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", VISIT, str(home / "spec.yaml"), str(home / "refused.yaml")],
        cwd=copy, env=env, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), home / "data" / "jobs" / "1"


def test_a_job_of_the_third_engine_runs_to_its_lora(visit):
    told, folder = visit
    code, out, err = told["run"]
    assert code == 0, err + out
    job = json.loads(out)
    assert (job["engine"], job["state"], job["step"]) == ("toy", "succeeded", 6)
    assert "step 6 of 6" in err
    assert (folder / "output" / "ohwx.safetensors").is_file()
    # Without records of its own, its curve is what its log said.
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == list("123456")


def test_what_the_third_engine_cannot_do_is_refused_by_its_own_words(visit):
    told, _ = visit
    code, _, err = told["refused"]
    assert code != 0
    assert "network.dropout: toy knows no Network dropout." in err
    assert "network.dropout" in told["unavailable"]


def test_the_pages_show_the_third_engine_like_the_others(visit):
    told, _ = visit
    assert {path: answer[0] for path, answer in told["pages"].items()} == dict.fromkeys(
        told["pages"], 200
    )
    assert 'aria-label="toy"' in told["pages"]["/engines"][1]
    assert "TOY_DIR" in told["pages"]["/system"][1]
    assert told["able"][-1] == "toy"


def test_a_job_of_another_engine_is_switched_to_the_third(visit):
    told, _ = visit
    assert told["switched"]["engine"] == "toy"
    assert told["switched"]["network"]["dropout"] == 0
    assert told["switched"]["engine_options"] == {}


def test_the_tests_that_walk_the_engines_find_nothing_that_the_chapter_does_not_name(copy):
    words = [sys.executable, "-m", "pytest", "-v", "-n0", "-m", "not e2e", *WALKS]
    done = subprocess.run(
        words, cwd=copy, env=plain(copy), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "[sd15-toy] PASSED" in done.stdout
