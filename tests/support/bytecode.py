"""Bytecode of a fresh checkout, written by all workers together: each takes its share.

Every worker of xdist collects every test, so each of them would compile every file, at the same time.
"""

from __future__ import annotations

import py_compile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from zlib import crc32

from _pytest.assertion import rewrite

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "engines", "scripts", "tests")


def write_share(config, number: int, of: int) -> None:
    """Compile those files of its share that are not compiled, or were changed since.

    Whose a file is follows from its name: another worker may be writing already. What fails here
    fails again, with its message, where the file is imported.
    """
    left_out = [str(Path(path).absolute()) + "/" for path in config.option.ignore or ()]
    for path, compiled in _stale(left_out):
        if crc32(path.name.encode()) % of != number:
            continue
        with suppress(OSError, SyntaxError, py_compile.PyCompileError):
            if _has_asserts_rewritten(path):
                source_hash, code = rewrite._rewrite_test(path, config)
                compiled.parent.mkdir(exist_ok=True)
                rewrite._write_pyc(
                    config.stash[rewrite.assertstate_key], code, source_hash, compiled
                )
            else:
                py_compile.compile(str(path), str(compiled), doraise=True)


def _stale(left_out: list[str]) -> Iterator[tuple[Path, Path]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if str(path).startswith(tuple(left_out)):
                continue
            compiled = Path(cache_from_source(str(path)))
            if _has_asserts_rewritten(path):
                compiled = rewrite.get_cache_dir(path) / (path.stem + rewrite.PYC_TAIL)
            if not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime:
                yield path, compiled


def _has_asserts_rewritten(path: Path) -> bool:
    return path.name.startswith("test_") or path.name == "conftest.py"
