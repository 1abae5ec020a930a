"""The database: SQLAlchemy bound to Flask, SQLite made safe against a kill at any moment."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase

log = logging.getLogger(__name__)


class Base(DeclarativeBase):
    """Base of every model."""


db = SQLAlchemy(model_class=Base)

BUSY_SECONDS = 10.0
_CACHE_KB = 512
"""Of pages that each of up to eight connections keeps. The system keeps the file's pages anyway: with 10,000 jobs
SQLite's own 2,000 KB made no page faster and took 5 MB more."""


def connection() -> Connection:
    """The session's own connection, within its transaction.

    For statements of plain columns that are asked often: they need nothing else of the session,
    whose ``execute`` costs as much again.
    """
    return db.session.connection()


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log, checked foreign keys, patience with other writers, full syncs.

    FULL keeps the last commit also when the host loses power; a commit costs 0.15 ms here.
    """
    if not isinstance(connection, sqlite3.Connection):
        return
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.close()


Trouble = Literal["full", "read-only", "busy", "damaged", "disk", ""]
_TROUBLES: dict[str, Trouble] = {
    "SQLITE_FULL": "full", "SQLITE_IOERR_WRITE": "full", "SQLITE_READONLY": "read-only",
    "SQLITE_BUSY": "busy", "SQLITE_CORRUPT": "damaged", "SQLITE_NOTADB": "damaged",
    "SQLITE_IOERR": "disk", "SQLITE_CANTOPEN": "disk",
}  # fmt: skip
"""By the beginning of SQLite's own name of an error; the first that fits."""


def trouble(error: DBAPIError) -> Trouble:
    """What ails the database that refused a statement; empty where the statement itself was wrong."""
    name: str = getattr(error.orig, "sqlite_errorname", "")
    return next((kind for begin, kind in _TROUBLES.items() if name.startswith(begin)), "")


@contextmanager
def in_passing() -> Iterator[None]:
    """For what a page writes down of what it sees: a disk that takes nothing keeps no page from being shown."""
    try:
        yield
    except OperationalError as error:
        db.session.rollback()
        if not trouble(error):
            raise
        log.warning("what a page saw could not be written down: %s", error.orig)
