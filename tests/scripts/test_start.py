"""start.sh prepares once, goes on after a break, and refuses in plain sentences; nothing is downloaded."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.start import StartMachine
from tests.support.wait import until

pytestmark = pytest.mark.e2e  # real processes


@pytest.fixture
def machine(tmp_path: Path) -> StartMachine:
    return StartMachine(tmp_path)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence for the person; the start must have failed."""
    assert done.returncode == 1, done.stderr
    assert "ran " not in done.stdout
    return done.stderr


def test_the_first_start_installs_from_the_lock_and_becomes_the_program(
    machine: StartMachine,
) -> None:
    done = machine.run("--no-jobs")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran serve --no-jobs\n"
    lock = machine.checkout / "requirements.lock"
    assert machine.calls() == ["venv", f"pip -r {lock}", f"pip -e {machine.checkout}"]


def test_setup_only_migrates_and_ends(machine: StartMachine) -> None:
    assert machine.run("--setup-only").stdout == "ran migrate\n"


def test_the_second_start_installs_nothing_and_says_nothing(machine: StartMachine) -> None:
    machine.run()
    machine.calls()
    done = machine.run()
    assert (done.stdout, done.stderr) == ("ran serve\n", "")
    assert machine.calls() == []


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_list_of_packages_is_installed_into_the_same_environment(
    machine: StartMachine, changed: str
) -> None:
    machine.run()
    machine.calls()
    (machine.checkout / changed).write_text("other\n")
    assert machine.run().returncode == 0
    assert [call.split()[0] for call in machine.calls()] == ["pip", "pip"]


def test_an_installation_that_was_killed_leaves_no_stamp_and_is_done_again(
    machine: StartMachine,
) -> None:
    (machine.root / "slow").touch()
    process = machine.start()
    until((machine.root / "pip-runs").exists, what="the installation")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not machine.stamp.exists()
    (machine.root / "slow").unlink()
    machine.calls()
    assert machine.run().stdout == "ran serve\n"
    assert [call.split()[0] for call in machine.calls()] == ["pip", "pip"]


def test_two_starts_at_once_install_once(machine: StartMachine) -> None:
    (machine.root / "slow").touch()
    first = machine.start()
    until((machine.root / "pip-runs").exists, what="the first installation")
    second = machine.start()
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()
    (machine.root / "slow").unlink()
    assert first.communicate(timeout=30)[0] == "ran serve\n"
    assert second.communicate(timeout=30)[0] == "ran serve\n"
    assert len(machine.calls()) == 3


def test_a_checkout_that_was_moved_gets_a_new_environment(machine: StartMachine) -> None:
    machine.run()
    machine.calls()
    machine.checkout = machine.checkout.rename(machine.root / "moved")
    assert machine.run().returncode == 0
    assert machine.calls()[0] == "venv"


def test_an_interpreter_that_was_removed_is_noticed(machine: StartMachine) -> None:
    machine.run()
    machine.calls()
    (machine.venv / "bin/python").unlink()
    assert machine.run().returncode == 0
    assert machine.calls()[0] == "venv"


def test_a_folder_that_is_no_environment_is_left_alone(machine: StartMachine) -> None:
    thesis = machine.root / "mine/thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    assert "is no Python environment" in refusal(machine.run(VENV=str(thesis.parent)))
    assert thesis.read_text() == "years of work"


def test_another_place_may_be_named_for_the_environment(machine: StartMachine) -> None:
    place = machine.root / "else where/env"
    assert machine.run(VENV=str(place)).stdout == "ran serve\n"
    assert (place / "bin/vast-lora").exists()
    assert not machine.venv.exists()


def test_it_starts_by_a_relative_path_with_cdpath_set(machine: StartMachine) -> None:
    done = subprocess.run(
        ["bash", "scripts/start.sh"], cwd=machine.checkout, capture_output=True, text=True,
        env={"PATH": str(machine.bin), "CDPATH": f".:{machine.checkout}"}, check=False,
    )  # fmt: skip
    assert done.stdout == "ran serve\n", done.stderr


def test_without_any_python_it_says_what_to_install(machine: StartMachine) -> None:
    machine.python.unlink()
    said = refusal(machine.run())
    assert "Python 3.11, 3.12 or 3.13 is needed; found none" in said
    assert "apt-get install python3" in said


def test_a_python_that_is_too_old_is_named(machine: StartMachine) -> None:
    (machine.root / "too-old").touch()
    assert f"found Python 3.9.2 ({machine.python})" in refusal(machine.run())


def test_without_the_venv_module_it_names_the_package_and_goes_on_once_it_is_there(
    machine: StartMachine,
) -> None:
    (machine.root / "no-ensurepip").touch()
    assert "apt-get install python3-venv" in refusal(machine.run())
    (machine.root / "no-ensurepip").unlink()
    assert machine.run().returncode == 0


@pytest.mark.parametrize(
    ("pip_said", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NewConnectionError: Failed to establish a new connection", "needs a network"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE LOCK", "is not the one that the lock"),
        ("something else entirely", "something else entirely"),
    ],
)
def test_a_failed_installation_says_why_and_is_taken_up_again(
    machine: StartMachine, pip_said: str, sentence: str
) -> None:
    (machine.root / "broken").write_text(pip_said)
    said = refusal(machine.run())
    assert sentence in said
    assert "Run it again to go on" in said
    assert not machine.stamp.exists()
    (machine.root / "broken").unlink()
    assert machine.run().stdout == "ran serve\n"
