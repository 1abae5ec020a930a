"""Processes are found and ended by pid and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.jobs import processes
from app.jobs.processes import Process
from tests.support.wait import until

Spawn = Callable[..., subprocess.Popen[bytes]]
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
DEAF += "time.sleep(60)"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; "
PARENT += "time.sleep(60)'], start_new_session=True); time.sleep(60)"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str, **options: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-S", "-c", code], **options)  # type: ignore[call-overload]
        started.append(child)
        return child  # type: ignore[no-any-return]

    yield start
    for child in started:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def known(child: subprocess.Popen[bytes]) -> Process:
    started = processes.start_time(child.pid)
    assert started is not None
    return Process(child.pid, started)


def test_a_process_is_alive_only_with_its_own_start_time(spawn: Spawn) -> None:
    one = known(spawn("import time; time.sleep(60)"))
    assert processes.is_alive(one.pid, one.start_time)
    assert not processes.is_alive(one.pid, one.start_time + 1)


def test_a_zombie_is_not_alive(spawn: Spawn) -> None:
    child = spawn("pass")
    one = known(child)
    until(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z", what="a zombie")
    assert not processes.is_alive(one.pid, one.start_time)
    assert processes.start_time(child.pid) == one.start_time


def test_a_pid_that_is_gone_has_no_start_time(spawn: Spawn) -> None:
    child = spawn("pass")
    child.wait()
    assert processes.start_time(child.pid) is None


def test_a_name_with_brackets_and_spaces_does_not_confuse_the_start_time(tmp_path: Path) -> None:
    odd = tmp_path / "a) R (b"
    odd.symlink_to("/bin/sleep")
    before = processes.start_time(os.getpid())
    with subprocess.Popen([odd, "60"]) as child:
        started = processes.start_time(child.pid)
        child.kill()
    assert before is not None
    assert started is not None
    assert started >= before


def test_descendants_are_found_in_other_sessions(spawn: Spawn) -> None:
    parent = spawn(PARENT)

    def in_their_own_sessions() -> list[Process]:
        return [one for one in processes.descendants(parent.pid) if os.getsid(one.pid) == one.pid]

    # A grandchild seen between its fork and its setsid is still in our session.
    found = until(in_their_own_sessions, what="a grandchild in a session of its own")
    assert len(found) == 1
    assert found[0] in processes.descendants(os.getpid())
    assert processes.end(found) == []


def test_marked_processes_are_found_by_their_whole_marker(spawn: Spawn) -> None:
    code = "import time; time.sleep(60)"
    environment = {**os.environ, processes.MARKER: "7.1.abc"}
    child = spawn(code, env=environment)
    spawn(code, env={**environment, processes.MARKER: "7.1.abcd"})
    until(lambda: processes.marked("7.1.abcd"), what="both")
    found = until(lambda: processes.marked("7.1.abc"), what="the first")
    assert found == [known(child)]


def test_a_command_is_known_by_whole_arguments_alone(spawn: Spawn, tmp_path: Path) -> None:
    """Attempt 1 of a job is not attempt 11, and whoever only looks at its folder is no runner."""
    code, folder = "import time; time.sleep(60)", f"{tmp_path}/jobs/5/attempts/1"
    spawn(f"{code} # {folder}")
    other = subprocess.Popen([sys.executable, "-S", "-c", code, "run_job.py", f"{folder}1"])
    child = subprocess.Popen([sys.executable, "-S", "-c", code, "run_job.py", folder])
    try:
        words = {"run_job.py", folder}
        found = until(lambda: processes.with_arguments(words), what="the runner")
        assert found == [known(child)]
    finally:
        for one in (child, other):
            one.kill()
            one.wait()


def test_a_process_tells_its_attempt_by_its_environment(spawn: Spawn) -> None:
    code = "import time; time.sleep(60)"
    child = spawn(code, env={**os.environ, processes.MARKER: "7.1.abc"})
    plain = spawn(code, env={"PATH": os.environ["PATH"]})
    until(lambda: processes.marker_of(child.pid) == "7.1.abc", what="its attempt")
    assert processes.marker_of(plain.pid) == ""
    plain.kill()
    plain.wait()
    assert processes.marker_of(plain.pid) == ""


def test_a_reused_pid_is_never_signalled(spawn: Spawn) -> None:
    child = spawn("import time; time.sleep(60)")
    one = known(child)
    other = Process(one.pid, one.start_time - 1)
    assert not processes.send(other, signal.SIGKILL)
    assert processes.end([other]) == []
    assert processes.is_alive(one.pid, one.start_time)


def test_a_process_that_ended_is_not_signalled(spawn: Spawn) -> None:
    child = spawn("pass")
    one = known(child)
    child.wait()
    assert not processes.send(one, signal.SIGTERM)


def test_the_next_signal_follows_when_the_grace_is_over(spawn: Spawn) -> None:
    child = spawn(DEAF, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.read(1) == b"1"
    begin = time.monotonic()
    assert processes.end([known(child)], [(signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)]) == []
    assert 0.2 <= time.monotonic() - begin < 5
    assert child.wait() == -signal.SIGKILL


def test_what_outlives_the_last_signal_is_told(spawn: Spawn) -> None:
    child = spawn(DEAF, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.read(1) == b"1"
    assert processes.end([known(child)], [(signal.SIGTERM, 0.05)]) == [known(child)]


def test_without_pidfds_the_start_time_still_guards(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    child = spawn("import time; time.sleep(60)")
    one = known(child)
    assert not processes.send(Process(one.pid, one.start_time + 1), signal.SIGKILL)
    assert processes.send(one, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def test_the_boot_id_is_the_same_twice() -> None:
    assert processes.boot_id() == processes.boot_id()
    assert len(processes.boot_id()) == 36
