"""What ails the disk or the database, told as that: what happened, to what, and what to do next."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from app.datasets.seeing import is_full
from app.db import Trouble, trouble
from app.platform import current


class Told(NamedTuple):
    """What is answered."""

    text: str
    status: int
    title: str


_NOT_WRITTEN = "so nothing could be written down."
_TOLD: dict[Trouble, Told] = {
    "full": Told(
        f"The disk is full, {_NOT_WRITTEN} Free some, then try again.", 507, "The disk is full"
    ),
    "read-only": Told(
        f"The data folder turned read-only, {_NOT_WRITTEN} A disk does that when it has errors: look at the "
        "machine's own log, mount it writable, then try again.",
        507,
        "The data folder is read-only",
    ),
    "busy": Told(
        f"Another program kept the database for too long, {_NOT_WRITTEN} Try again.",
        503,
        "The database is busy",
    ),
    "damaged": Told(
        "The database cannot be read. Put a copy in its place, as the operator guide tells; runs lie beside it.",
        500,
        "The database is damaged",
    ),
    "disk": Told(
        "The disk of the data folder does not answer. See the machine's own log, then start this program again.",
        503,
        "The disk does not work",
    ),
}
_OF_FILES: dict[int, Trouble] = {errno.EROFS: "read-only", errno.EIO: "disk", errno.ESTALE: "disk"}


def of_database(error: DBAPIError) -> Told | None:
    """None for a trouble that is not the user's to mend."""
    kind = trouble(error)
    return _gone() if kind == "disk" and not _is_there() else _TOLD.get(kind)


def of_file(error: OSError) -> Told | None:
    """The same for a file."""
    if not _is_there():
        return _gone()
    if error.errno in (errno.EACCES, errno.EPERM) and error.filename:
        return Told(
            f"{error.filename} may not be read or written. Look at its owner and rights, then try again.",
            507,
            "No right to a file",
        )
    return _TOLD.get("full" if is_full(error) else _OF_FILES.get(error.errno or 0, ""))


def _is_there() -> bool:
    return os.path.isdir(current().settings.data_dir)


def _gone() -> Told:
    return Told(
        f"The data folder, {current().settings.data_dir}, is not there any more. Mount its disk or put it back, "
        "then start this program again.",
        503,
        "The data folder is gone",
    )
