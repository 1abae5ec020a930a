"""What a disk or a database that takes nothing means for people: a sentence, a title and a status."""

from __future__ import annotations

import errno
from typing import NamedTuple

from sqlalchemy.exc import OperationalError


class Told(NamedTuple):
    """What is answered."""

    text: str
    status: int
    title: str


_FULL = Told(
    "The disk is full, so nothing could be written down. Free some, then try again.",
    507, "The disk is full",
)  # fmt: skip
_READ_ONLY = Told(
    "The data folder turned read-only, so nothing could be written down. A disk does that when it has errors: "
    "look at the machine's own log, mount it writable, then try again.",
    507, "The data folder is read-only",
)  # fmt: skip
_BUSY = Told(
    "The database was busy with something else for too long, so nothing was changed. Try again.",
    503, "The database is busy",
)  # fmt: skip
_OF_SQLITE = {
    "SQLITE_FULL": _FULL, "SQLITE_IOERR_WRITE": _FULL, "SQLITE_READONLY": _READ_ONLY, "SQLITE_BUSY": _BUSY,
}  # fmt: skip
_OF_FILES = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EROFS: _READ_ONLY}


def of_database(error: OperationalError) -> Told | None:
    """None for a trouble that is not the user's to mend."""
    return _OF_SQLITE.get(getattr(error.orig, "sqlite_errorname", ""))


def of_file(error: OSError) -> Told | None:
    """The same for a file."""
    return _OF_FILES.get(error.errno or 0)
