"""sha256 of a file, on demand and kept: hashing gigabytes is work for a task's child."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.tasks import Work

_BLOCK = 1 << 22


def _cache_file(cache: Path, path: Path) -> Path:
    stat = path.stat()
    told = f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}"
    return cache / "sums" / hashlib.sha256(told.encode()).hexdigest()[:32]


def cached(cache: Path, path: Path) -> str:
    """The sum, if it was made of this very content; else empty."""
    try:
        return _cache_file(cache, path).read_text("ascii")
    except OSError:
        return ""


def run(work: Work) -> dict[str, Any]:
    """Hash the file ``path`` and keep the sum."""
    path = Path(work.arguments["path"])
    digest, done = hashlib.sha256(), 0
    try:
        target, size = _cache_file(work.settings.cache_dir, path), path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                done += len(block)
                work.progress(done, size, path.name, unit="bytes")
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is gone; it may have been pruned or deleted.") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    partial.write_text(digest.hexdigest())
    os.replace(partial, target)
    return {"sha256": digest.hexdigest()}
