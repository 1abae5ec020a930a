"""Since when the machine runs, told by process 1 of the container."""

from __future__ import annotations

import os
import time

import pytest

from app.vast import session


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc of a container whose first process began 100 s after the machine did, 400 s ago."""
    ticks = 100 * os.sysconf("SC_CLK_TCK")
    for name, text in {
        "sys/kernel/random/boot_id": "abc\n", "uptime": "500.00 900.00\n",
        "1/stat": f"1 (a (b) c) S {' '.join(['0'] * 18)} {ticks} 0\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(session, "_PROC", tmp_path)
    session.boot.cache_clear()
    session.started.cache_clear()
    yield tmp_path
    session.boot.cache_clear()
    session.started.cache_clear()


def test_a_start_has_a_name_and_an_age(proc):
    assert session.boot().startswith("abc.")
    assert time.time() - session.started() == pytest.approx(400, abs=5)


@pytest.mark.parametrize("text", [None, "", "1 (init) S 0"])
def test_a_machine_that_does_not_tell_runs_since_now_and_has_no_name(proc, text):
    (proc / "1/stat").unlink()
    if text is not None:
        (proc / "1/stat").write_text(text)
    assert session.boot() == "unknown"
    assert time.time() - session.started() == pytest.approx(0, abs=5)
