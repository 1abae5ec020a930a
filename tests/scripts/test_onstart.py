"""onstart.sh against a stand-in checkout: what it finds, where it listens, that it starts again."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import subprocess

import pytest

from app.settings import ROOT
from tests.support.wait import until

pytestmark = pytest.mark.e2e  # real processes

STAND_IN = """#!/bin/sh
engines="${AI_TOOLKIT_DIR:-none} ${AI_TOOLKIT_PYTHON:-none} ${KOHYA_SS_DIR:-none}"
echo "$HOST $PORT ${TRUST_PROXY:-} $engines" >> "$DATA_DIR/started"
[ "$(wc -l < "$DATA_DIR/started")" -lt 2 ] || exec sleep 600
"""


@pytest.fixture
def place(tmp_path):
    scripts = tmp_path / "checkout/scripts"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "scripts/onstart.sh", scripts)
    (scripts / "start.sh").write_text(STAND_IN)
    (scripts / "start.sh").chmod(0o755)
    return tmp_path


def start(place, **env):
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
    data = place / "data"
    return subprocess.Popen(
        ["bash", place / "checkout/scripts/onstart.sh", "run"],
        env={**kept, "WORKSPACE": str(place), "DATA_DIR": str(data), **env},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process):
    os.killpg(process.pid, signal.SIGTERM)
    return process.communicate(timeout=10)[0]


def test_it_finds_the_engines_of_the_image_and_starts_again_what_ended(place):
    for name in ("ai-toolkit/run.py", "kohya_ss/sd-scripts/train_network.py"):
        (place / name).parent.mkdir(parents=True)
        (place / name).write_text("")
    for engine in ("ai-toolkit", "kohya_ss"):
        python = place / engine / "venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\n")
        python.chmod(0o755)
    process = start(place)
    told = place / "data/started"
    until(lambda: told.exists() and len(told.read_text().splitlines()) == 2)
    second = start(place)
    assert "runs already" in second.communicate(timeout=10)[0]
    assert "started again" in end(process)
    home = place / "ai-toolkit"
    expected = f"0.0.0.0 7860 off {home} {home}/venv/bin/python {place}/kohya_ss"
    assert told.read_text().splitlines() == [expected] * 2


@pytest.fixture
def supervised(place):
    """Runs onstart.sh beside a supervisor that only writes down what it was asked."""
    tool = place / "bin/supervisorctl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> "{place}/asked"\n')
    tool.chmod(0o755)
    vast = place / "checkout/scripts/vast"
    vast.mkdir()
    shutil.copy(ROOT / "scripts/vast/onstart.conf", vast)
    (place / "conf.d").mkdir()

    def run(script=place / "checkout/scripts/onstart.sh"):
        path = f"{tool.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", script],
            env={"PATH": path, "WORKSPACE": str(place), "SUPERVISOR_PROGRAMS": str(place / "conf.d")},
            capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_where_vast_has_a_supervisor_it_becomes_a_program_of_it_at_each_start(place, supervised):
    for _ in range(2):
        assert "under Vast's supervisor" in supervised()
    program = (place / "conf.d/lora-platform.conf").read_text()
    assert f'command="{place}/checkout/scripts/vast/onstart-program.sh"' in program
    assert (place / "asked").read_text().split().count("update") == 2
    assert not (place / "lora/server.log").exists()


def test_an_image_with_the_program_of_its_own_is_left_as_it_is(place, supervised):
    conf = place / "conf.d/lora-platform.conf"
    conf.write_text("[program:lora-platform]\ncommand=/opt/supervisor-scripts/lora-platform.sh\n")
    before = conf.read_text()
    assert "starts it by itself" in supervised()
    assert conf.read_text() == before


def test_the_supervisor_is_told_a_place_of_any_name_as_it_is(place, supervised):
    (place / "checkout").rename(place / "100 % mine & yours")
    odd = place / "100 % mine & yours/scripts/onstart.sh"
    supervised(odd)
    program = configparser.ConfigParser()
    program.read(place / "conf.d/lora-platform.conf")
    command = program["program:lora-platform"].get("command", vars={})
    assert shlex.split(command) == [str(odd.with_name("vast") / "onstart-program.sh")]


def test_it_starts_by_a_relative_path_with_cdpath_set_and_without_flock(place):
    tools = place / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "dirname", "mkdir", "sleep", "wc"):
        (tools / name).symlink_to(shutil.which(name))
    process = subprocess.Popen(
        ["bash", "scripts/onstart.sh", "run"], cwd=place / "checkout", start_new_session=True,
        env={"PATH": str(tools), "CDPATH": ".", "DATA_DIR": str(place / "data")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    told = place / "data/started"
    until(lambda: told.exists() and len(told.read_text().splitlines()) == 2)
    assert "started again" in end(process)


def test_behind_the_portals_entry_it_listens_on_loopback(place):
    process = start(place, PORTAL_CONFIG="localhost:7860:17860:/:LoRA Platform")
    told = place / "data/started"
    until(lambda: told.exists() and told.read_text().strip())
    end(process)
    assert told.read_text().splitlines()[0].startswith("127.0.0.1 17860")
