"""Installs an engine as background work: bootstrap.sh in a child, its own status file as progress."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from app import tasks
from app.errors import ConflictError, UserError
from app.jobs import installations
from app.models import Job, Task
from app.settings import ROOT, Settings
from app.tasks import Work
from engines.adapter import ENGINES
from engines.registry import EngineName, setting_prefix

KIND = "engine.install"
_STEPS = ("source", "environment", "torch", "packages", "diffusers", "check")
_NOT_NEEDED = ("AUTH_TOKEN", "AUTH_TOKEN_FILE", "CONTAINER_API_KEY", "HF_TOKEN", "DATABASE_URL")
_PATIENCE = 5.0
_TAIL_BYTES = 4000


def start(settings: Settings, name: EngineName) -> Task:
    """Queue the installation. Raises ConflictError where it would be of no use."""
    found = installations.find(settings, name)
    if found.installed:
        raise ConflictError(f"{name} is installed already.")
    if why := elsewhere(settings, name):
        raise ConflictError(why)
    if (latest := newest(name)) is not None and not latest.is_final:
        raise ConflictError(f"{name} is being installed already.")
    return tasks.start(KIND, f"engine:{name}", {"engine": name})


def newest(name: str) -> Task | None:
    """The newest installation of an engine, over or not."""
    return tasks.latest(f"engine:{name}", KIND)


def being_installed(name: str) -> str:
    """A sentence for a job that is to wait for its engine; empty where nobody installs it."""
    latest = newest(name)
    if latest is None or latest.is_final:
        return ""
    return f"{name} is being installed; the job starts by itself when that is done."


def elsewhere(settings: Settings, name: EngineName) -> str:
    """Why installing would not help: the program was told to look in another place."""
    home, python = installations.places(settings, name)
    if settings.engines_dir in home.parents and settings.engines_dir in Path(python).parents:
        return ""
    prefix = setting_prefix(name)
    return (
        f"{prefix}_DIR or {prefix}_PYTHON names another place; unset them to install {name} here."
    )


def is_awaited(settings: Settings, name: str) -> bool:
    """Whether jobs have to wait for this engine: it is being installed, or that failed."""
    if name not in ENGINES or installations.find(settings, name).installed:
        return False
    latest = newest(name)
    return latest is not None and latest.state != "done"


def why_waiting(settings: Settings, job: Job) -> str:
    """What a queued job waits for, if it is its engine; else empty."""
    return f"waits for the installation of {job.engine}" if is_awaited(settings, job.engine) else ""


def log_tail(settings: Settings, task: Task) -> str:
    """The end of the log, whole lines."""
    try:
        with tasks.log_path(settings, task.id).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if size > _TAIL_BYTES else text


def run(work: Work) -> dict[str, Any]:
    """In the child. Whatever bootstrap.sh prints is the log; it goes on where it was broken off."""
    name = work.arguments["engine"]
    settings = work.settings
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_NEEDED}
    environment |= {"DATA_DIR": str(settings.data_dir), "ENGINES_DIR": str(settings.engines_dir)}
    child = subprocess.Popen(
        ["bash", str(ROOT / "scripts" / "bootstrap.sh"), name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env=environment,
        process_group=0,
    )
    try:
        while child.poll() is None:
            _tell(work, name)
            time.sleep(0.5)
    finally:
        _end(child)
    told = status(settings, name)
    if child.returncode != 0:
        said = told.get("message") or f"bootstrap.sh ended with code {child.returncode}."
        raise UserError(for_the_page(said))
    return {"message": told.get("message", "")}


def for_the_page(said: str) -> str:
    """What bootstrap.sh said to who typed it, for who pressed a button."""
    for typed, pressed in (("run the same command again", "start it again"),
                           ("Run the same command again", "Start it again")):  # fmt: skip
        said = said.replace(typed, pressed)
    return f"{said[:1].upper()}{said[1:]}"


def status(settings: Settings, name: str) -> dict[str, Any]:
    """What bootstrap.sh last said about an engine; empty where it said nothing."""
    try:
        found = json.loads((settings.engines_dir / "bootstrap-status.json").read_text("utf-8"))
        return next((dict(e) for e in found["engines"] if e.get("engine") == name), {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _tell(work: Work, name: str) -> None:
    told = status(work.settings, name)
    if told.get("state") == "running":
        step = str(told.get("step", ""))
        # No bar: the steps are of very different length, and a time left would be a lie.
        number = _STEPS.index(step) + 1 if step in _STEPS else 1
        message = str(told.get("message", ""))
        work.progress(number, None, f"step {number} of {len(_STEPS)}: {message}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it with everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE)
