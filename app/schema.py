"""Brings the database to the current schema, and keeps a copy of the old one first."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from pathlib import Path

from app.errors import UserError
from app.settings import Settings

HEAD = "0010"
"""The newest revision in ``app/migrations/versions`` (a test compares them)."""
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def file_of(settings: Settings) -> Path | None:
    """The SQLite file, or None for another database."""
    prefix = "sqlite:///"
    url = settings.database_url
    return Path(url.removeprefix(prefix)) if url.startswith(prefix) else None


class NewerDatabaseError(UserError):
    """The database was brought to a form that this version of the program does not know."""


def is_current(settings: Settings) -> bool:
    """Whether a SQLite database is at HEAD. Cheap: Alembic is not imported."""
    path = file_of(settings)
    return path is not None and path.is_file() and _revision(path) == HEAD


def _revision(path: Path) -> str:
    """The revision that a SQLite database is at; empty where it tells of none."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return ""
    return str(row[0]) if row else ""


def migrate(settings: Settings) -> bool:
    """Bring the database to HEAD; True if anything was done. Makes the data folder if needed.

    One process at a time does so; another that comes meanwhile waits for it.
    Raises NewerDatabaseError, with nothing changed, if a newer version of the program made it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    for folder in (settings.jobs_dir, settings.datasets_dir, settings.models_dir):
        folder.mkdir(exist_ok=True)
    if is_current(settings):
        return False
    # A server and a command that start together: the second finds the first one's work done.
    with (settings.data_dir / ".migrating").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(settings):
            return False
        _upgrade(settings)
    return True


def _upgrade(settings: Settings) -> None:
    path = file_of(settings)
    if path is not None and path.is_file():
        _refuse_newer(path)
        _back_up(path)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", settings.database_url.replace("%", "%%"))
    command.upgrade(config, "head")


def _refuse_newer(path: Path) -> None:
    revision = _revision(path)
    known = {file.name.partition("_")[0] for file in _VERSIONS.glob("*.py")}
    if revision and revision not in known:
        raise NewerDatabaseError(
            f"{path} is at revision {revision}, which this version of the program (up to {HEAD}) does not "
            f"know. Start the newer version again, or put the copy that it made first in its place: "
            f"{path.name}.before-{revision}-*."
        )


def _back_up(path: Path) -> Path:
    """A consistent copy beside the database, through SQLite's own backup."""
    copy = path.with_name(f"{path.name}.before-{HEAD}-{time.strftime('%Y%m%d-%H%M%S')}")
    source = sqlite3.connect(path)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    except sqlite3.DatabaseError as error:
        copy.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be read as a database: {error}. Put a copy of it that is whole in its place; "
            "without one move it away, and the program begins with an empty list of jobs."
        ) from error
    finally:
        target.close()
        source.close()
    return copy
