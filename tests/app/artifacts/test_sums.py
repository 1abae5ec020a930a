"""The sha256 of a file, asked for by a person and kept as long as the file is the same."""

from __future__ import annotations

import hashlib
import io

import pytest

from app.artifacts import sums
from app.errors import UserError
from app.settings import Settings
from app.tasks import Work


def work(tmp_path, path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    about = {"path": str(path)}
    return Work(1, about, settings, tell=io.StringIO(), log=tmp_path / "log")


def test_a_sum_is_kept_and_belongs_to_that_content_alone(tmp_path):
    path = tmp_path / "dog.safetensors"
    path.write_bytes(b"numbers")
    asked = work(tmp_path, path)
    expected = hashlib.sha256(b"numbers").hexdigest()
    assert sums.run(asked) == {"sha256": expected}
    assert sums.cached(asked.settings.cache_dir, path) == expected
    path.write_bytes(b"other numbers")
    assert sums.cached(asked.settings.cache_dir, path) == ""


def test_a_file_that_was_pruned_meanwhile_is_told_by_its_name(tmp_path):
    with pytest.raises(UserError, match=r"dog\.safetensors is gone; it may have been pruned"):
        sums.run(work(tmp_path, tmp_path / "dog.safetensors"))
