"""A real application on a fresh folder, with collaborators that a test can hold in its hand."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from flask import Flask

from app import create_app, schema
from app.base_models import HubChecker
from app.base_models.hub import Answer
from app.db import db
from app.gpu import GpuReport
from app.jobs.engine_options import Known
from app.jobs.executor import Lost, Running, Status
from app.jobs.rundir import AttemptDir, Launch
from app.platform import EXTENSION, Platform
from app.settings import Settings
from tests.support.compiled import share
from tests.support.reading import ReadingClient
from tests.support.tasks import InlineTasks


@cache
def schema_file() -> Path:
    """The migrated database, made once; copying it is four times faster than migrating."""
    folder = Path(mkdtemp(prefix="vast-lora-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    schema.migrate(Settings.from_env({"DATA_DIR": str(folder)}))
    return folder / "lora.db"


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


class SilentHub(HubChecker):
    """Answers nobody, at once: a test that needs a Hub names one by HF_ENDPOINT, and none asks the real one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("", None, settings.hf_home or settings.data_dir / "no-hf-home")

    def wait(self, repo: str, seconds: float, file: str = "") -> Answer | None:
        if self.is_cached(repo, file):
            return Answer(True)
        told = f"The Hub could not be reached to look for {repo} (test)."
        return Answer(False, told, certain=False) if seconds > 0 else None


_apps: list[Flask] = []


def close_all() -> None:
    """Close the databases of every application that was made; a test does so when it ends."""
    while _apps:
        app = _apps.pop()
        platform: Platform = app.extensions[EXTENSION]
        platform.machine.stop()
        if platform._supervisor is not None:
            for thread in platform.supervisor.tasks:
                thread.join(timeout=10)
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def make_app(tmp_path: Path, env: Mapping[str, str] | None = None) -> Flask:
    """An application on ``tmp_path/data`` with a fresh database and a fake executor."""
    data = tmp_path / "data"
    env = {"DATA_DIR": str(data), "DISK_SOFT_GB": "0", "DISK_HARD_GB": "0", **(env or {})}
    settings = Settings.from_env(env)
    data.mkdir(parents=True)
    shutil.copy(schema_file(), data / "lora.db")
    for folder in (settings.jobs_dir, settings.datasets_dir, settings.models_dir):
        folder.mkdir()
    app = create_app(settings)
    _apps.append(app)
    app.config.update(TESTING=True)
    app.test_client_class = ReadingClient
    share(app)
    platform: Platform = app.extensions[EXTENSION]
    platform.executor = FakeExecutor()
    platform.gpus = FakeGpus()  # type: ignore[assignment]
    platform.options = FakeOptions()  # type: ignore[assignment]
    platform.tasks = InlineTasks(app, settings)  # type: ignore[assignment]
    if "HF_ENDPOINT" not in env and not settings.hf_hub_offline:
        platform.hub = SilentHub(settings)
    return app
