"""Background work that is no training: imports, downloads, reports, uploads, installations.

Each piece is a row and a child process: it survives a restart of the server (begun again from what
it left on disk), shows its progress, and can be cancelled. A function that does such work is named
in ``kinds.py`` and takes one ``Work``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.tasks.kinds import KINDS, Kind
from app.tasks.work import RetryLaterError, Work, log_path

if TYPE_CHECKING:
    from app.tasks.runner import Runner
    from app.tasks.store import (
        active,
        active_of,
        cancel,
        ended_since,
        find,
        forget,
        get,
        keep_result,
        latest,
        page,
        recent,
        result_of,
        retry,
        start,
    )

__all__ = [
    "KINDS",
    "Kind",
    "RetryLaterError",
    "Runner",
    "Work",
    "active",
    "active_of",
    "cancel",
    "ended_since",
    "find",
    "forget",
    "get",
    "keep_result",
    "latest",
    "log_path",
    "page",
    "recent",
    "result_of",
    "retry",
    "start",
]


def __getattr__(name: str) -> Any:
    """The rows and the runner at first use: the child of a piece of work passes through here, too."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{'runner' if name == 'Runner' else 'store'}"), name)
    globals()[name] = found
    return found
