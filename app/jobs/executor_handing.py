"""Hands an attempt to Slurm: held, its number written down, then released. Never twice.

Whatever is killed in between, nothing runs that nobody knows of: a job that is held does not start.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.jobs.executor import AttemptTakenError, ExecutorError, RunnerStartError
from app.jobs.rundir import AttemptDir, Launch, TornFileError, read_json, write_json_atomic
from app.slurm import script
from app.slurm.commands import ControllerDownError, Slurm, SlurmError
from app.slurm.naming import name_of, read_marker
from app.slurm.options import SlurmOptions
from app.slurm.settings import SlurmSettings

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 60.0
AGAIN_SECONDS = 3.0
FORGET_SECONDS = 60.0
_RELEASED, _GIVEN_UP = "slurm-released", "slurm-given-up"


class SlurmRefusedError(ExecutorError):
    """Slurm does not take the job, and says why."""

    def __init__(self, why: SlurmError) -> None:
        super().__init__(
            f"Slurm refused the job: {str(why).rstrip('.')}. Check its partition, account, constraint, "
            "GPUs and further Slurm options, then retry."
        )


class Handing:
    """``data_dir`` is on the filesystem that nodes share with us."""

    def __init__(self, slurm: Slurm, settings: SlurmSettings, runner: Path, data_dir: Path) -> None:
        self._slurm, self._settings = slurm, settings
        self._runner, self._data_dir = runner, data_dir
        self._unsent: dict[Path, dict[str, str]] = {}
        self._tried: dict[Path, float] = {}
        self._released: dict[Path, float] = {}

    def prepare(self, attempt: AttemptDir, launch: Launch, environment: Mapping[str, str]) -> None:
        """Put everything into the run directory. Raises ExecutorError."""
        try:
            attempt.root.mkdir(parents=True, exist_ok=True)
            there = read_json(attempt.launch) or {}
            if attempt.exit.exists() or there.get("runner") or there.get("slurm"):
                raise AttemptTakenError(attempt)
            self._write_script(attempt, launch)
            write_json_atomic(attempt.launch, self._as_there(launch).to_json())
        except TornFileError as error:
            raise AttemptTakenError(attempt) from error
        except OSError as error:
            raise RunnerStartError(attempt, error) from error
        there_of = self._settings.path_map.there
        self._unsent[attempt.root] = {name: there_of(text) for name, text in environment.items()}

    def _as_there(self, launch: Launch) -> Launch:
        """launch.json as the runner gets it: with the paths of the nodes."""
        there = self._settings.path_map.there
        stop, near_end = (tuple(map(self.step, steps)) for steps in (launch.stop, launch.near_end))
        return replace(
            launch.before_start(),
            argv=tuple(map(there, launch.argv)),
            cwd=there(launch.cwd),
            stop=stop,
            near_end=near_end,
            slurm={"name": name_of(launch.marker), "job_id": None, "asked": time.time()},
        )

    def step(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """A stop step as the runner gets it."""
        path = {"path": self._settings.path_map.there(step["path"])} if "path" in step else {}
        return {**step, **path}

    def _write_script(self, attempt: AttemptDir, launch: Launch) -> None:
        there = self._settings.path_map.there
        ours = self._settings.python or there(sys.executable)
        text = script.text(
            name_of(launch.marker),
            folder=there(str(attempt.root)),
            runner=there(str(self._shared_runner())),
            pythons=list(dict.fromkeys((ours, "python3"))),
        )
        path = attempt.root / "slurm.sh"
        path.write_text(text, "utf-8")
        path.chmod(0o700)

    def _shared_runner(self) -> Path:
        """The runner on the shared filesystem, under the hash of its text: an upgrade adds another."""
        beside = sorted(self._runner.parent.glob("gpu_readings.py"))
        data = b"".join(path.read_bytes() for path in (self._runner, *beside))
        folder = self._data_dir / "runner" / hashlib.sha256(data).hexdigest()[:12]
        for path in (self._runner, *beside):
            target = folder / path.name
            if not target.exists():
                folder.mkdir(parents=True, exist_ok=True)
                partial = target.with_suffix(f".{time.monotonic_ns()}")
                shutil.copyfile(path, partial)
                partial.replace(target)
        return folder / self._runner.name

    def submit(self, attempt: AttemptDir) -> None:
        """Hand it over. Raises ControllerDownError, after which ``tried`` tells whether it may have
        reached Slurm, or SlurmRefusedError.
        """
        launch, environment = attempt.read_launch(), self._unsent.get(attempt.root)
        if launch is None or launch.slurm is None or environment is None:
            return
        handover = script.Handover(
            name=str(launch.slurm["name"]),
            comment=launch.marker,
            script=attempt.root / "slurm.sh",
            output=self._settings.path_map.there(str(attempt.root / "slurm.txt")),
            gpus=int(launch.ask.get("gpus", 1)),
            options=SlurmOptions.checked(launch.ask.get("options", {})).over(
                self._settings.general
            ),
            save_seconds=self._settings.save_seconds,
        )
        self._tried[attempt.root] = time.time()
        try:
            told = self._slurm.run(
                *handover.command(), environment=environment, seconds=SUBMIT_SECONDS
            )
        except ControllerDownError as error:
            self._tried[attempt.root] = 0.0 if error.done_nothing else time.time()
            raise
        except SlurmError as error:
            self._unsent.pop(attempt.root, None)
            raise SlurmRefusedError(error) from error
        self._tried[attempt.root] = time.time()
        number = (told.strip().splitlines() or [""])[-1].partition(";")[0]
        if number.isdecimal():
            self.take(attempt, int(number))

    def submit_again(self, attempt: AttemptDir) -> None:
        """Nothing had reached Slurm. Raises as ``submit``."""
        if self.may_submit(attempt):
            self.submit(attempt)

    def may_submit(self, attempt: AttemptDir) -> bool:
        """Whether it surely never reached Slurm and can still be handed over."""
        return attempt.root in self._unsent and self._tried.get(attempt.root) == 0.0

    def tried(self, attempt: AttemptDir) -> float | None:
        """When it was tried last (0: without effect); None where an earlier program did, if at all."""
        return self._tried.get(attempt.root)

    def take(self, attempt: AttemptDir, number: int) -> None:
        """Write the number into launch.json, then let it go. It is held: nobody else writes."""
        data = read_json(attempt.launch)
        if data is None or data.get("runner"):
            return
        data["slurm"] = {**data["slurm"], "job_id": number}
        write_json_atomic(attempt.launch, data)
        self._unsent.pop(attempt.root, None)
        self._tried.pop(attempt.root, None)
        self.release(attempt, number)

    def release(self, attempt: AttemptDir, number: int) -> None:
        """Let a held job go; a later round does it where nobody answers."""
        try:
            if attempt.stop.exists():
                self._slurm.run("scancel", str(number))
            else:
                self._slurm.run("scontrol", "release", str(number))
                self._released[attempt.root] = time.time()
                if not (attempt.root / _RELEASED).exists():
                    (attempt.root / _RELEASED).touch()
        except (ControllerDownError, SlurmError) as error:
            log.info("Slurm's job %s is not released yet: %s", number, error)

    def may_release(self, attempt: AttemptDir, back_at: float) -> bool:
        """Whether a held job is ours to let go; else somebody holds it on purpose.

        A controller that is killed forgets its last seconds, and a release with them: what is held
        soon after we let it go, or after the controller came back at ``back_at``, is let go again.
        """
        try:
            first = (attempt.root / _RELEASED).stat().st_mtime
        except OSError:
            return True
        last, now = self._released.get(attempt.root, first), time.time()
        return now - last > AGAIN_SECONDS and (now - first < FORGET_SECONDS or back_at > last)

    def forget(self, attempt: AttemptDir) -> None:
        """It is over."""
        for kept in (self._unsent, self._tried, self._released):
            kept.pop(attempt.root, None)

    def give_up(self, attempt: AttemptDir) -> None:
        """It never turned up. Should it still do so, it is held, and ``is_orphan``."""
        (attempt.root / _GIVEN_UP).touch()
        self.forget(attempt)

    def is_orphan(self, marker: str, number: int) -> bool:
        """Whether a held job is one of ours that nothing waits for."""
        if (ours := read_marker(marker)) is None:
            return False
        job, attempt = map(str, ours)
        folder = AttemptDir(self._data_dir / "jobs" / job / "attempts" / attempt)
        try:
            launch = folder.read_launch()
        except (TornFileError, OSError):
            return False
        if launch is None or launch.marker != marker or launch.slurm is None:
            return False
        given_up = (folder.root / _GIVEN_UP).exists()
        return given_up or launch.slurm.get("job_id") not in (None, number)
