"""bootstrap.sh installs, goes on after a break, and refuses in plain sentences; nothing is downloaded."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bootstrap import FAKE_PYTHON, SCRIPTS, TORCH, Machine, git, head, repository
from tests.support.wait import until

pytestmark = pytest.mark.e2e  # real processes


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: git is the slow part of these tests."""
    root = tmp_path_factory.mktemp("sources")
    repository(root / "aitk", "run.py", "toolkit/job.py")
    repository(root / "kohya", "train_network.py")
    return root


@pytest.fixture
def machine(tmp_path: Path, sources: Path) -> Machine:
    return Machine(tmp_path, sources)


def test_each_engine_gets_its_code_and_an_environment_of_its_own(machine: Machine) -> None:
    done = machine.run("all")
    assert done.returncode == 0, done.stderr
    assert (machine.engines / "ai-toolkit/run.py").is_file()
    assert (machine.engines / "kohya_ss/train_network.py").is_file()
    for name, source in (("ai-toolkit", machine.aitk), ("kohya_ss", machine.kohya)):
        assert os.access(machine.engines / f"venv-{name}/bin/python", os.X_OK)
        assert head(machine.engines / name) == head(source)
        assert f"{name} {head(source)[:12]} python 3.11.0 torch 2.13.0+cpu" in done.stdout
    assert machine.status() == dict.fromkeys(("ai-toolkit", "kohya_ss"), ("finished", "done"))


def test_a_second_run_installs_nothing_again(machine: Machine) -> None:
    machine.run("kohya_ss")
    assert len(machine.calls()) == 4  # environment, torch, torchvision, the list
    assert machine.run("kohya_ss").returncode == 0
    assert machine.calls() == []


def test_an_installation_that_broke_off_goes_on_where_it_was(machine: Machine) -> None:
    (machine.root / "broken").write_text("kohya_ss.lock")
    broken = machine.run("kohya_ss")
    assert broken.returncode == 1
    assert "run the same command again" in broken.stderr
    assert machine.status() == {"kohya_ss": ("packages", "failed")}
    machine.calls()
    (machine.root / "broken").unlink()
    assert machine.run("kohya_ss").returncode == 0
    assert [c.split()[-1].rsplit("/")[-1] for c in machine.calls()] == ["kohya_ss.lock"]


def test_a_fetch_that_broke_off_goes_on(machine: Machine) -> None:
    partial = machine.engines / ".bootstrap/kohya_ss/code"
    partial.mkdir(parents=True)
    git(partial, "init", "-q")
    (partial / ".git/index.lock").touch()
    done = machine.run("kohya_ss")
    assert done.returncode == 0, done.stderr
    assert head(machine.engines / "kohya_ss") == head(machine.kohya)


def test_another_commit_replaces_the_code_but_not_the_environment(machine: Machine) -> None:
    machine.run("kohya_ss")
    machine.calls()
    (machine.kohya / "new.py").touch()
    git(machine.kohya, "add", ".")
    git(machine.kohya, "commit", "-qm", "newer")
    done = machine.run("kohya_ss", KOHYA_SS_COMMIT=head(machine.kohya))
    assert done.returncode == 0, done.stderr
    assert (machine.engines / "kohya_ss/new.py").exists()
    assert machine.calls() == []


def test_a_torch_that_changed_is_noticed_and_installed_again(machine: Machine) -> None:
    machine.run("kohya_ss")
    machine.calls()
    (machine.root / "torch").write_text(TORCH.replace("2.13.0+cpu", "2.15.0"))
    changed = machine.run("kohya_ss")
    assert changed.returncode == 1
    assert "torch is no longer the one that was installed" in changed.stderr
    assert machine.run("kohya_ss").returncode == 0
    assert "torch==2.13.0" in machine.calls()[0]


def test_the_failure_of_one_engine_leaves_the_other_its_turn(machine: Machine) -> None:
    done = machine.run("all", KOHYA_SS_SOURCE=str(machine.root / "nowhere"))
    assert done.returncode == 1
    assert "not installed: kohya_ss" in done.stderr
    assert machine.status()["kohya_ss"] == ("source", "failed")
    assert machine.status()["ai-toolkit"] == ("finished", "done")


@pytest.mark.parametrize(("cuda", "torch"), [("12.4", "torch==2.9.1"), ("13.0", "torch==2.13.0")])
def test_torch_is_chosen_for_the_driver(machine: Machine, cuda: str, torch: str) -> None:
    machine.program("nvidia-smi", f"#!/bin/sh\necho '| CUDA Version: {cuda}     |'\n")
    assert machine.run("kohya_ss").returncode == 0
    calls = machine.calls()
    assert torch in calls[1].split()
    assert any("kohya_ss-gpu.lock" in call for call in calls)  # 8-bit optimizers


def test_an_index_named_for_torch_is_used_for_torch_alone(machine: Machine) -> None:
    machine.run("kohya_ss", TORCH_INDEX_URL="http://127.0.0.1:9/cpu")
    _, torch, vision, packages = machine.calls()
    assert "--index-url http://127.0.0.1:9/cpu" in torch
    assert "--index-url http://127.0.0.1:9/cpu" in vision
    assert "--index-url" not in packages


def test_kohya_ss_is_taken_with_the_sd_scripts_inside_it(machine: Machine) -> None:
    gui = repository(machine.root / "gui", "kohya_gui.py")
    shutil.copytree(machine.kohya, gui / "sd-scripts")
    done = machine.run("kohya_ss", KOHYA_SS_SOURCE=str(gui), KOHYA_SS_COMMIT="")
    assert done.returncode == 0, done.stderr
    assert (machine.engines / "kohya_ss/sd-scripts/train_network.py").is_file()
    assert head(machine.engines / "kohya_ss/sd-scripts") == head(machine.kohya)
    assert "not at the pinned" in done.stderr


def test_a_folder_that_was_there_before_is_left_alone(machine: Machine) -> None:
    mine = machine.engines / "kohya_ss/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("my own")
    done = machine.run("kohya_ss")
    assert done.returncode == 1
    assert "was not put there by this script" in done.stderr
    assert mine.read_text() == "my own"


def test_an_engine_that_cannot_be_imported_is_a_failure_with_a_hint(machine: Machine) -> None:
    (machine.root / "no-smoke").touch()
    done = machine.run("kohya_ss")
    assert done.returncode == 1
    assert "ImportError: libcudart" in done.stderr
    assert "TORCH_INDEX_URL" in done.stderr
    assert machine.status() == {"kohya_ss": ("check", "failed")}


def test_the_second_of_two_waits_for_the_first(machine: Machine) -> None:
    lock = machine.engines / ".bootstrap/lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = machine.start("kohya_ss")
        assert second.stderr is not None
        assert "Another bootstrap works" in second.stderr.readline()
        assert second.poll() is None
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGTERM, "failed"), (signal.SIGKILL, "running")]
)
def test_an_ended_bootstrap_lets_the_next_one_in(
    machine: Machine, number: signal.Signals, state: str
) -> None:
    hanging = FAKE_PYTHON.replace('-m venv")', f'-m venv") touch {machine.root}/at; sleep 60;')
    machine.program("python3.11", hanging.replace("FAKE", str(machine.root)))
    first = machine.start("kohya_ss")
    until((machine.root / "at").exists, what="the first at its environment")
    os.killpg(first.pid, number)
    first.communicate(timeout=60)
    assert machine.status() == {"kohya_ss": ("environment", state)}
    machine.program("python3.11", FAKE_PYTHON.replace("FAKE", str(machine.root)))
    done = machine.run("kohya_ss")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "env", "sentence"),
    [
        ((), {}, "say which engine"),
        (("kohya_ss",), {"ENGINE_PYTHON": "python0"}, "no Python 3.10 to 3.13 was found"),
        (("ai-toolkit",), {"ENGINE_PYTHON": "python0"}, "no Python 3.10 to 3.12 was found"),
        (("kohya_ss",), {"TORCH_BUILD": "rocm"}, "auto, cuda or cpu"),
        (("kohya_ss",), {"KOHYA_SS_COMMIT": "0" * 40}, "could not be had from"),
    ],
)
def test_it_refuses_in_a_plain_sentence(
    machine: Machine, words: tuple[str, ...], env: dict[str, str], sentence: str
) -> None:
    done = machine.run(*words, **env)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_it_refuses_a_machine_without_git(machine: Machine) -> None:
    bare = machine.root / "bare"
    bare.mkdir()
    (bare / "dirname").symlink_to(shutil.which("dirname") or "")
    done = machine.run("kohya_ss", PATH=str(bare))
    assert done.returncode == 1
    assert "git was not found" in done.stderr


def test_it_refuses_a_disk_that_is_too_small(machine: Machine) -> None:
    machine.program("df", "#!/bin/sh\necho head\necho fs 100 50 1048576 50% /\n")
    done = machine.run("ai-toolkit", SKIP_SPACE_CHECK="")
    assert done.returncode == 1
    assert "about 4 GB of disk are needed" in done.stderr
    assert machine.calls() == []


def test_the_smoke_check_imports_the_training_scripts(tmp_path: Path) -> None:
    for name, text in {
        "torch.py": "__version__ = '9.9'\nclass cuda:\n    is_available = lambda: False\n",
        "lycoris/kohya.py": "",
        "train_network.py": "import torch\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    smoke = [sys.executable, SCRIPTS / "bootstrap/smoke.py", "kohya_ss"]
    done = subprocess.run(smoke, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "torch 9.9 (no cuda)" in done.stdout
    (tmp_path / "train_network.py").write_text("import nothing_of_this_name\n")
    done = subprocess.run(smoke, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nothing_of_this_name" in done.stderr


def test_it_starts_by_a_relative_path_with_cdpath_set(machine: Machine) -> None:
    done = subprocess.run(
        ["bash", "scripts/bootstrap.sh"], cwd=SCRIPTS.parent, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "CDPATH": "."}, check=False,
    )  # fmt: skip
    assert "say which engine" in done.stderr
