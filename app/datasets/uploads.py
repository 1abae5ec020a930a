"""Files on their way from a browser, in pieces: each a folder with what has arrived so far.

The size of ``part`` is the truth, so that a piece can be sent again after a break, a restart of
the server or of the browser: whoever names the same file finds its half. Bytes that arrived before
a cut are kept. Nothing here needs the database.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.datasets import naming
from app.datasets.seeing import is_full
from app.errors import ConflictError, NotFoundError, UserError

KEPT_SECONDS = 3 * 24 * 3600
MOST_AT_ONCE = 20_000
_BLOCK = 64 * 1024  # as gunicorn.conf.py receives them
_RESERVE = 64 * 1024 * 1024
_GONE = "There is no such upload (any more). Start it again."


class DiskFullError(UserError):
    """There is no room (any more)."""

    status = 507


class WrongOffsetError(ConflictError):
    """The piece does not follow what is there; ``offset`` is where to go on."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes are here; send on from there.")
        self.offset = offset


@dataclass(frozen=True)
class Upload:
    """One file: its relative name, its whole size, and its folder."""

    id: str
    name: str
    size: int
    folder: Path

    @property
    def part(self) -> Path:
        return self.folder / "part"

    @property
    def offset(self) -> int:
        """How many bytes have arrived."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def is_whole(self) -> bool:
        return self.offset == self.size


class Uploads:
    """The uploads to one dataset, in ``DATA_DIR/uploads/<dataset>``."""

    def __init__(self, data_dir: Path, dataset_id: int) -> None:
        self._root = data_dir / "uploads" / str(dataset_id)

    def begin(self, name: str, size: int, modified: str) -> Upload:
        """The upload of a file, new or half done. Raises UserError for a name or size that cannot be."""
        safe = naming.file_name(name)
        if safe is None:
            raise UserError(f"{name[:120]!r} is no name for a file in a dataset.")
        if not 0 <= size < 1 << 60:
            raise UserError(f"{safe} cannot have such a size.")
        told = f"{safe}\0{size}\0{modified}"
        upload_id = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
        upload = Upload(upload_id, safe, size, self._root / upload_id)
        try:
            upload.folder.mkdir(parents=True, exist_ok=True)
            meta = upload.folder / "meta.json"
            if not meta.exists():
                new = meta.with_suffix(".new")
                new.write_text(json.dumps({"name": safe, "size": size}, ensure_ascii=False))
                new.replace(meta)
            upload.part.touch()
        except OSError as error:
            raise _told(error, upload) from error
        return upload

    def check_room(self, missing: int) -> None:
        """Raises DiskFullError when so many further bytes would not fit."""
        self._root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._root).free
        if missing + _RESERVE > free:
            raise DiskFullError(
                f"{_mb(missing)} are to be uploaded, and {_mb(free)} of disk are free. "
                "Free some, then drop the files again: what is here already is kept."
            )

    def get(self, upload_id: str) -> Upload:
        """Raises NotFoundError, also where it was cleaned up or imported."""
        folder = self._root / upload_id
        try:
            if not re.fullmatch(r"[0-9a-f]{32}", upload_id):
                raise FileNotFoundError
            meta = json.loads((folder / "meta.json").read_text())
        except (FileNotFoundError, ValueError):
            raise NotFoundError(_GONE) from None
        return Upload(upload_id, meta["name"], meta["size"], folder)

    def append(self, upload: Upload, offset: int, stream: IO[bytes]) -> int:
        """Add a piece; how much is here then. What came before the line was cut stays.

        Raises WrongOffsetError where the piece does not follow what is here, and also while
        another window sends the same file; DiskFullError; UserError for more than was announced.
        """
        with _held(upload):
            here = upload.offset
            if offset != here:
                raise WrongOffsetError(here)
            try:
                with upload.part.open("ab", buffering=0) as part:
                    while block := stream.read(_BLOCK):
                        if here + len(block) > upload.size:
                            raise UserError(f"{upload.name} is larger than was announced.")
                        view = memoryview(block)
                        while view:
                            written = part.write(view)
                            here += written
                            view = view[written:]
            except OSError as error:
                raise _told(error, upload) from error
            return here

    def all(self) -> list[Upload]:
        """Every upload, whole or not."""
        if not self._root.is_dir():
            return []
        found = []
        for folder in sorted(self._root.iterdir()):
            with contextlib.suppress(NotFoundError):
                found.append(self.get(folder.name))
        return found

    def halves(self) -> list[Upload]:
        """Those that are not whole yet."""
        return [upload for upload in self.all() if not upload.is_whole]

    def forget(self, upload_id: str) -> None:
        """Remove one with what has arrived, if it is there."""
        with contextlib.suppress(NotFoundError):
            shutil.rmtree(self.get(upload_id).folder, ignore_errors=True)

    def forget_all(self) -> None:
        """Remove all of a dataset that is gone."""
        shutil.rmtree(self._root, ignore_errors=True)


def clean(data_dir: Path, now: float | None = None) -> None:
    """Remove uploads that nobody went on with for days."""
    oldest = (time.time() if now is None else now) - KEPT_SECONDS
    for folder in (data_dir / "uploads").glob("*/*"):
        with contextlib.suppress(OSError):
            part = folder / "part"
            if (part if part.exists() else folder).stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(upload: Upload) -> Iterator[None]:
    """One piece of a file at a time, among all windows."""
    try:
        opened = (upload.folder / "lock").open("w")
    except FileNotFoundError:
        raise NotFoundError(_GONE) from None  # imported, or given up, a moment ago
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongOffsetError(upload.offset) from None
        yield


def _told(error: OSError, upload: Upload) -> UserError:
    if is_full(error):
        return DiskFullError(
            f"The disk is full, so the upload of {upload.name} stopped. Free some, then drop the "
            "file again: it goes on where it stopped."
        )
    return UserError(f"{upload.name} could not be written: {error.strerror}.")


def _mb(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
