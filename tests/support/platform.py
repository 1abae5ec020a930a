"""A real application on a fresh folder, with collaborators that a test can hold in its hand."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app import create_app, schema
from app.db import db
from app.gpu import GpuReport
from app.jobs.engine_options import Known
from app.jobs.executor import Lost, Running, Status
from app.jobs.rundir import AttemptDir, Launch
from app.platform import EXTENSION, Platform
from app.settings import Settings
from app.web import routing
from tests.support.tasks import InlineTasks


@cache
def schema_file() -> Path:
    """The migrated database, made once; copying it is four times faster than migrating."""
    folder = Path(mkdtemp(prefix="vast-lora-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    schema.migrate(Settings.from_env({"DATA_DIR": str(folder)}))
    return folder / "lora.db"


class RememberedRule(routing.LazyRule):
    """Hundreds of applications have the same 180 addresses: each is taken apart once."""

    known: ClassVar[dict[str, dict[str, Any]]] = {}

    def compile(self) -> None:
        parsed = self.known.get(self.rule)
        if parsed is None:
            super().compile()
            self.known[self.rule] = dict(vars(self))
            return
        for name in ("_parts", "_trace", "_converters", "arguments"):
            setattr(self, name, parsed[name])
        self._build = parsed["_build"].__func__.__get__(self, None)
        self._build_unknown = parsed["_build_unknown"].__func__.__get__(self, None)


routing.LazyRule = RememberedRule  # type: ignore[misc]


@event.listens_for(Engine, "connect")
def _quick_sqlite(connection: Any, _record: Any) -> None:
    """No test loses power: waiting for the disk at each commit took a quarter of the time."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


class CompiledTemplates(BytecodeCache):
    """Compiling the templates anew for each of hundreds of applications would take half the time."""

    def __init__(self) -> None:
        self.codes: dict[str, tuple[str, Any]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self.codes.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key] = bucket.checksum, bucket.code


TEMPLATES = CompiledTemplates()


class FakeExecutor:
    """Remembers what it was asked. ``status`` says how each attempt stands."""

    def __init__(self) -> None:
        self.started: list[tuple[AttemptDir, Launch, dict[str, str]]] = []
        self.stopped: list[tuple[AttemptDir, str]] = []
        self.status: dict[Path, Status] = {}
        self.leftovers = 0
        self.at_start: Status = Running(trainer_started=True)

    def start(self, attempt: AttemptDir, launch: Launch, environment: Mapping[str, str]) -> None:
        attempt.root.mkdir(parents=True, exist_ok=True)
        self.started.append((attempt, launch, dict(environment)))
        self.status[attempt.root] = self.at_start

    def poll(self, attempt: AttemptDir) -> Status:
        return self.status.get(attempt.root, Lost())

    def stop(
        self, attempt: AttemptDir, wish: str, steps: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        self.stopped.append((attempt, wish))

    def end_leftovers(self, attempt: AttemptDir) -> int:
        return self.leftovers


class FakeCluster(FakeExecutor):
    """The same on a cluster: ``down`` is what people have to know, ``answers`` how often Slurm told news."""

    down, answers = "", 0

    def there(self, text: str) -> str:
        return text

    def notice(self) -> str:
        return self.down

    def changes(self) -> int:
        return self.answers


class FakeGpus:
    """Reports exactly the GPUs it was given."""

    def __init__(self, *gpus: Any) -> None:
        self.gpus = gpus

    def report(self) -> GpuReport:
        return GpuReport(gpus=tuple(self.gpus), problem=None if self.gpus else "no GPU (test)")


class FakeOptions:
    """Knows what the pinned engines accept, and starts no process to find out."""

    patient = False

    def now(self, installation: Any) -> Known:
        return Known(installation.engine.shipped_options())

    wait = now


_apps: list[Flask] = []


def close_all() -> None:
    """Close the databases of every application that was made; a test does so when it ends."""
    while _apps:
        app = _apps.pop()
        supervisor = app.extensions[EXTENSION].supervisor
        for thread in list(supervisor.tasks):
            thread.join(timeout=10)
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def make_app(tmp_path: Path, env: Mapping[str, str] | None = None) -> Flask:
    """An application on ``tmp_path/data`` with a fresh database and a fake executor."""
    data = tmp_path / "data"
    settings = Settings.from_env(
        {"DATA_DIR": str(data), "DISK_SOFT_GB": "0", "DISK_HARD_GB": "0", **(env or {})}
    )
    data.mkdir(parents=True)
    shutil.copy(schema_file(), data / "lora.db")
    for folder in (settings.jobs_dir, settings.datasets_dir, settings.models_dir):
        folder.mkdir()
    app = create_app(settings)
    _apps.append(app)
    app.config.update(TESTING=True)
    app.jinja_env.bytecode_cache = TEMPLATES
    platform: Platform = app.extensions[EXTENSION]
    platform.executor = FakeExecutor()
    platform.gpus = FakeGpus()  # type: ignore[assignment]
    platform.options = FakeOptions()  # type: ignore[assignment]
    platform.tasks = InlineTasks(app, settings)  # type: ignore[assignment]
    return app
