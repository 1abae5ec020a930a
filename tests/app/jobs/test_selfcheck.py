"""The self-check: what it makes of a torch, a clock and a disk, and its page."""

from __future__ import annotations

import io

import pytest

from app.jobs import selfcheck
from app.settings import Settings
from app.tasks.work import Work
from tests.support.platform import make_app


def torch(built, *cards, seen=1):
    return {
        "torch": "2.9.1", "cuda": "12.8", "seen": seen, "built": built, "cards": [list(c) for c in cards]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("built", "arch", "mark"),
    [(["sm_80", "sm_90"], "sm_90", "ok"), (["sm_80"], "sm_86", "ok"), (["sm_86"], "sm_80", "fail"),
     (["sm_80", "sm_90"], "sm_120", "fail"), (["sm_90", "compute_90"], "sm_120", "ok"),
     (["sm_120"], "sm_120", "ok"), (["sm_90a"], "sm_90", "ok"), ([], "sm_90", "fail")],
)  # fmt: skip
def test_a_torch_that_was_not_built_for_the_card_is_told(built, arch, mark):
    found = selfcheck.judge_torch("kohya_ss", torch(built, (arch, "Card")), True)
    assert found.mark == mark


def test_a_torch_that_sees_no_gpu_is_bad_only_where_there_is_one():
    assert selfcheck.judge_torch("x", torch([], seen=0), True).mark == "fail"
    assert selfcheck.judge_torch("x", torch([], seen=0), False).mark == "ok"


@pytest.mark.parametrize(("skew", "mark"), [(0, "ok"), (-59, "ok"), (120, "warn"), (-3600, "fail")])
def test_a_clock_that_is_off_is_told(skew, mark):
    assert selfcheck.judge_clock(skew).mark == mark


def test_it_runs_as_a_task_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(selfcheck, "_SPEED_BYTES", 4 * 1024 * 1024)
    app = make_app(tmp_path, {"HF_ENDPOINT": "http://127.0.0.1:9"})
    client = app.test_client()
    assert "Check this machine" in client.get("/selfcheck").text
    assert client.post("/selfcheck/run").status_code == 303
    assert client.post("/selfcheck/run").status_code == 303
    assert app.extensions["vast-lora"].tasks.run_all() == [""]
    page = client.get("/selfcheck").text
    assert "MB a second" in page
    assert "cannot be reached" in page
    assert "keep trainings from working" in page
    assert not (tmp_path / "data/.disk-speed").exists()


@pytest.mark.parametrize("told", ["exit 1", "echo no json", "echo ["])
def test_an_engine_whose_python_has_no_torch_is_told_with_the_setting_that_names_it(tmp_path, told):
    python, home = tmp_path / "python", tmp_path / "sd-scripts"
    python.write_text(f"#!/bin/sh\n{told}\n")
    python.chmod(0o755)
    home.mkdir()
    (home / "train_network.py").touch()
    settings = Settings.from_env(
        {"DATA_DIR": str(tmp_path), "KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": str(python)}
    )
    found = {finding.what: finding for finding in selfcheck._torch(settings)}["kohya_ss"]
    assert found.mark == "fail"
    assert f"{python} cannot import torch" in found.text
    assert "KOHYA_SS_PYTHON" in found.text


def test_one_look_that_breaks_leaves_the_others_theirs(tmp_path, monkeypatch):
    def broken(_settings):
        raise RuntimeError("the driver hangs")
        yield

    monkeypatch.setattr(selfcheck, "_gpus", broken)
    for name in ("_torch", "_network", "_ports", "_disk"):
        monkeypatch.setattr(selfcheck, name, lambda _settings: iter(()))
    work = Work(
        1,
        {},
        Settings.from_env({"DATA_DIR": str(tmp_path)}),
        tell=io.StringIO(),
        log=tmp_path / "log",
    )
    found = selfcheck.run(work)["findings"]
    assert found[0] == {
        "what": "GPU", "mark": "warn", "text": "It could not be looked at: the driver hangs."
    }  # fmt: skip
    assert {finding["what"] for finding in found} >= {"processor", "shared memory"}
