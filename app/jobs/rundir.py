"""Names what a run directory holds, and reads and writes its records whole.

``$DATA_DIR/jobs/<id>/`` is the contract between the app, the runner and the next start of the
app: what must survive a crash is there or in the database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.jobs.processes import Process

VERSION = 1
LOOK_SECONDS = 5.0
MOUNT_IT = "Mount its disk, or make the folder again."
"""What to do where the folder of all jobs is not there: the program made it when it started."""
REPORT = "report.html"
"""Lies in the output folder, for people."""


class TornFileError(Exception):
    """A record in a run directory is not what we write: torn, foreign, or of a newer version."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read as our record: {why}. Move it away or mend it.")
        self.path, self.why = path, why


def write_json_atomic(path: Path, data: Mapping[str, Any]) -> None:
    """Put ``data`` at ``path`` whole or not at all, mode 0600, lasting through a power cut.

    Raises OSError, with the old file untouched, if there is no room.
    """
    text = json.dumps(data, indent=1).encode() + b"\n"
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError:
        return  # some network file systems cannot sync a folder; the rename itself is done
    finally:
        os.close(fd)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in ``path``; None if there is no such file. Raises TornFileError."""
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise TornFileError(path, str(error)) from error
    if not isinstance(data, dict):
        raise TornFileError(path, f"it holds a {type(data).__name__}, not an object")
    return data


@dataclass(frozen=True)
class Launch:
    """What to run, and who runs it: launch.json.

    The app writes it before the runner starts; the runner adds ``boot_id`` and ``runner``, then
    ``trainer`` and ``started`` (epoch seconds). ``env_names`` are names only, never values.
    ``stop`` holds the steps of a plain stop as the JSON objects that the runner reads; ``marker``
    is unique to the attempt and stands in the environment of each of its processes; ``look``: how
    often (seconds) the runner looks for a wish by itself, since who wrote one may die before the
    signal. Where Slurm runs it there are ``slurm``, its job; ``ask``, what it was asked for; and
    ``near_end``, the steps when its time is nearly up.
    """

    job_id: int
    attempt: int
    argv: tuple[str, ...]
    cwd: str
    marker: str
    env_names: tuple[str, ...] = ()
    stop: tuple[Mapping[str, Any], ...] = ()
    gpus: tuple[int, ...] = ()
    ask: Mapping[str, Any] = field(default_factory=dict)
    slurm: Mapping[str, Any] | None = None
    near_end: tuple[Mapping[str, Any], ...] = ()
    look: float = LOOK_SECONDS
    boot_id: str | None = None
    runner: Process | None = None
    trainer: Process | None = None
    started: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As launch.json holds it."""
        data: dict[str, Any] = {"version": VERSION}
        data.update((name, getattr(self, name)) for name in ("job_id", "attempt", "cwd", "marker"))
        for name in ("argv", "env_names", "gpus"):
            data[name] = list(getattr(self, name))
        data.update(look=self.look, stop=[dict(step) for step in self.stop])
        if self.slurm is not None:
            data.update(slurm=dict(self.slurm), ask=dict(self.ask))
            data["near_end"] = [dict(step) for step in self.near_end]
        for name in ("boot_id", "started"):
            if getattr(self, name) is not None:
                data[name] = getattr(self, name)
        for name in ("runner", "trainer"):
            if (process := getattr(self, name)) is not None:
                data[name] = process.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Launch:
        """Raises ValueError, TypeError or LookupError if this is not a launch record."""
        _check_version(data)
        runner, trainer = data.get("runner"), data.get("trainer")
        return cls(
            job_id=int(data["job_id"]),
            attempt=int(data["attempt"]),
            argv=tuple(data["argv"]),
            cwd=str(data["cwd"]),
            marker=str(data["marker"]),
            env_names=tuple(data["env_names"]),
            stop=tuple(data["stop"]),
            gpus=tuple(data["gpus"]),
            slurm=data.get("slurm"),
            ask=data.get("ask") or {},
            near_end=tuple(data.get("near_end") or ()),
            look=float(data.get("look") or LOOK_SECONDS),
            boot_id=data.get("boot_id"),
            runner=Process.from_json(runner) if runner else None,
            trainer=Process.from_json(trainer) if trainer else None,
            started=data.get("started"),
        )

    def before_start(self) -> Launch:
        """The same without what only the runner may say."""
        return replace(self, boot_id=None, runner=None, trainer=None, started=None)


@dataclass(frozen=True)
class ExitRecord:
    """How an attempt ended: exit.json, the runner's last act.

    Exactly one of ``code`` and ``signal`` (a name such as SIGKILL) is set, or neither if a stop
    came before the start; code 127 with ``error`` means that the trainer could not be started.
    ``started`` (None: never) and ``ended`` are epoch seconds. ``peak_rss_bytes`` is the largest
    resident set that the trainer, or any one process that it waited for, ever had: not their sum,
    and without the GPU's memory. ``stopped`` means that we asked it to stop, ``wish`` how;
    ``steps_taken`` tells when each stop step was done (epoch seconds in "at") and what went wrong
    with it ("error"). ``leftovers_killed`` counts the processes that had to be killed after or with
    the trainer.
    """

    code: int | None
    signal: str | None
    started: float | None
    ended: float
    peak_rss_bytes: int | None = None
    stopped: bool = False
    wish: str | None = None
    steps_taken: tuple[Mapping[str, Any], ...] = ()
    leftovers_killed: int = 0
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        data = {"version": VERSION, **vars(self)}
        data["steps_taken"] = [dict(step) for step in self.steps_taken]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExitRecord:
        """Raises ValueError, TypeError or LookupError if this is not an exit record."""
        _check_version(data)
        return cls(
            code=data["code"],
            signal=data["signal"],
            started=data["started"],
            ended=float(data["ended"]),
            peak_rss_bytes=data["peak_rss_bytes"],
            stopped=bool(data["stopped"]),
            wish=data["wish"],
            steps_taken=tuple(data["steps_taken"]),
            leftovers_killed=int(data["leftovers_killed"]),
            error=data["error"],
        )


def _check_version(data: Mapping[str, Any]) -> None:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']} is not known")


@dataclass(frozen=True)
class AttemptDir:
    """``attempts/<n>/``: one start of the trainer, with its log and its end."""

    root: Path

    @property
    def launch(self) -> Path:
        return self.root / "launch.json"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def exit(self) -> Path:
        return self.root / "exit.json"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def read_launch(self) -> Launch | None:
        """launch.json; None if it is not there. Raises TornFileError."""
        if (data := read_json(self.launch)) is None:
            return None
        try:
            return Launch.from_json(data)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise TornFileError(self.launch, f"{type(error).__name__}: {error}") from error

    def read_exit(self) -> ExitRecord | None:
        """exit.json; None if it is not there. Raises TornFileError."""
        if (data := read_json(self.exit)) is None:
            return None
        try:
            return ExitRecord.from_json(data)
        except (ValueError, TypeError, LookupError) as error:
            raise TornFileError(self.exit, f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class RunDir:
    """``$DATA_DIR/jobs/<id>/``: everything that one job asked for, did and made."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.yaml"

    @property
    def native(self) -> Path:
        return self.root / "native"

    @property
    def attempts(self) -> Path:
        return self.root / "attempts"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def report(self) -> Path:
        """What a person reads of the run, made from all the rest."""
        return self.output / REPORT

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.csv"

    @property
    def curves(self) -> Path:
        """The folder of the series that charts are drawn from."""
        return self.root / "metrics"

    @property
    def run_card(self) -> Path:
        return self.root / "run-card.json"

    def attempt(self, number: int) -> AttemptDir:
        """Attempt ``number``, from 1; its folder need not exist yet."""
        return AttemptDir(self.attempts / str(number))
