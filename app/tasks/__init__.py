"""Background work that is no training: imports, downloads, reports, uploads, installations.

Each piece is a row and a child process: it survives a restart of the server (begun again from what
it left on disk), shows its progress, and can be cancelled. A function that does such work is named
in ``kinds.py`` and takes one ``Work``.
"""

from app.tasks.kinds import KINDS, Kind
from app.tasks.runner import Runner
from app.tasks.store import (
    active,
    cancel,
    find,
    forget,
    get,
    latest,
    log_path,
    recent,
    result_of,
    retry,
    start,
)
from app.tasks.work import RetryLaterError, Work

__all__ = [
    "KINDS",
    "Kind",
    "RetryLaterError",
    "Runner",
    "Work",
    "active",
    "cancel",
    "find",
    "forget",
    "get",
    "latest",
    "log_path",
    "recent",
    "result_of",
    "retry",
    "start",
]
