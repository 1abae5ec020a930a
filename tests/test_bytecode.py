"""What the workers compile together is what Python and pytest take."""

from __future__ import annotations

import os
from importlib.util import cache_from_source

from _pytest.assertion import rewrite

from tests.support import bytecode


def written(root):
    return sorted(path.name.partition(".")[0] for path in root.rglob("*.pyc"))


def test_each_file_is_compiled_by_one_worker_once_and_again_when_it_was_changed(
    tmp_path, monkeypatch, pytestconfig
):
    monkeypatch.setattr(bytecode, "ROOT", tmp_path)
    for folder, name in (("app", "a"), ("app", "b"), ("tests", "test_c"), ("tests", "conftest")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.py").write_text("assert 1 + 1\n")
    (tmp_path / "app/broken.py").write_text("def")  # told where it is imported
    bytecode.write_share(pytestconfig, 0, 2)
    first = written(tmp_path)
    bytecode.write_share(pytestconfig, 1, 2)
    assert written(tmp_path) == ["a", "b", "conftest", "test_c"] != first

    source = tmp_path / "tests/test_c.py"
    compiled = source.parent / "__pycache__" / f"test_c{rewrite.PYC_TAIL}"
    assert "_pytest" in str(rewrite._read_pyc(source, compiled).co_names)
    source.write_text("changed = 1\n")
    os.utime(compiled, (1, 1))
    bytecode.write_share(pytestconfig, 0, 1)
    assert "changed" in rewrite._read_pyc(source, compiled).co_names
    assert os.path.exists(cache_from_source(str(tmp_path / "app/a.py")))
