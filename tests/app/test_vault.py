"""Secrets are kept in one private file, and nowhere else."""

from __future__ import annotations

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


def test_a_broken_file_is_as_none_and_a_write_that_was_cut_off_is_no_hindrance(tmp_path):
    (tmp_path / "secrets.json").write_text("{broken")
    (tmp_path / ".secrets.json.new").write_text("half")
    vault = Vault(tmp_path)
    assert vault.names() == []
    vault.put("a", "1")
    assert vault.get("a") == "1"
