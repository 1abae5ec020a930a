"""Secrets are kept in one private file, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

from app.settings import ROOT
from app.vault import Vault


def test_a_secret_is_kept_in_a_file_that_nobody_else_can_read(tmp_path):
    vault = Vault(tmp_path)
    assert vault.get("hf_token") is None
    vault.put("hf_token", "hf_abc")
    assert Vault(tmp_path).get("hf_token") == "hf_abc"
    assert vault.names() == ["hf_token"]
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_secret_is_removed_and_the_others_stay(tmp_path):
    vault = Vault(tmp_path)
    vault.put("a", "1")
    vault.put("b", "2")
    vault.put("a", None)
    assert (vault.get("a"), vault.get("b")) == (None, "2")


def test_a_file_that_was_spoilt_by_hand_is_set_aside_and_not_lost(tmp_path, caplog):
    (tmp_path / "secrets.json").write_text('{"hf_token": "hf_abc",}')
    caplog.set_level("CRITICAL", "app.vault")
    Vault(tmp_path).put("b", "2")
    assert Vault(tmp_path).names() == ["b"]
    assert "hf_abc" in (tmp_path / "secrets.json.unreadable").read_text()


WRITER = """
import sys
from pathlib import Path
from app.vault import Vault

for number in range(25):
    Vault(Path(sys.argv[1])).put(f"{sys.argv[2]}{number}", "x")
"""


def test_writers_of_several_processes_undo_nothing_of_each_other(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=ROOT)
        for name in "ab"
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(Vault(tmp_path).names()) == 50


def test_a_broken_file_is_as_none_and_a_write_that_was_cut_off_is_no_hindrance(tmp_path):
    (tmp_path / "secrets.json").write_text("{broken")
    (tmp_path / ".secrets.json.new").write_text("half")
    vault = Vault(tmp_path)
    assert vault.names() == []
    vault.put("a", "1")
    assert vault.get("a") == "1"
