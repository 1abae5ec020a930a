"""The fingerprint tells whether a dataset is the same, whatever the engines left in it."""

from __future__ import annotations

import hashlib

import pytest

from app.datasets import fingerprint, fingerprints
from app.datasets.walking import walk


def test_every_file_has_its_sum_and_caches_have_none(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "_latent_cache").mkdir()
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "sub" / "b.txt").write_bytes(b"b")
    for name in ("a_sd.npz", "metadata_cache.json", ".aitk_size.json", "_latent_cache/x"):
        (tmp_path / name).write_bytes(b"cache")
    assert fingerprint(tmp_path) == {
        "a.png": hashlib.sha256(b"a").hexdigest(),
        "sub/b.txt": hashlib.sha256(b"b").hexdigest(),
    }


def test_a_file_that_is_gone_when_its_turn_comes_is_left_out(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "b.png").symlink_to(tmp_path / "none")
    assert set(fingerprint(tmp_path)) == {"a.png"}


def test_a_file_that_is_deleted_while_the_others_are_read_is_left_out(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"a")
    listing = walk(tmp_path, recursive=True)
    (tmp_path / "b.png").unlink()
    monkeypatch.setattr(fingerprints, "walk", lambda _root, recursive: listing)
    assert set(fingerprint(tmp_path)) == {"a.png"}


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        fingerprint(tmp_path / "none")
