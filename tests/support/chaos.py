"""Kills a random part of the real program at a random moment, then checks that nothing lied.

Used by the suite (a few rounds) and by ``scripts/chaos.sh`` (as many as you like):
``tests.support.chaos_run`` strings the rounds together.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.jobs import processes
from app.jobs.rundir import AttemptDir, read_json
from tests.support import engines, models, pictures
from tests.support.server import Server
from tests.support.wait import until

STEPS = 30
FAULTS = (
    "worker",
    "master",
    "runner",
    "trainer",
    "child",
    "all",
    "tear",
    "freeze",
    "flood",
    "fill",
)
SETTLE_SECONDS = 90


class ViolationError(AssertionError):
    """Something was lost, doubled, orphaned or untrue."""


class Chaos:
    """One data folder and one server, through many rounds."""

    kinds: tuple[str, ...] = FAULTS

    def __init__(self, folder: Path, seed: int, env: Mapping[str, str] | None = None) -> None:
        self.random = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        settings = engines.make(folder / "engines")
        self.server = Server(
            folder,
            {**settings, "STANDIN_SECONDS": "0.03", "STANDIN_ARGUMENTS": "--children 1",
             "MAX_INTERRUPTIONS": "5", **(env or {})},
        )  # fmt: skip
        self.document = document(folder)
        self.markers: set[str] = set()
        self.fault = ""
        self.small_disk = env is None and _mount_small_disk(self.server.data)
        self.slowest_start = 0.0

    def start(self) -> None:
        begin = time.monotonic()
        self.server.start()
        self.slowest_start = max(self.slowest_start, time.monotonic() - begin)

    def round(self) -> str:
        """Submit a job, break something while it runs, and look whether the truth is told."""
        engine = self.random.choice(("kohya_ss", "ai-toolkit"))
        fault = self.fault = self.random.choice(self.kinds)
        document = {**self.document, "engine": engine}
        if fault == "tear":
            document["engine"] = "ai-toolkit"
        job_id = self.server.post("/api/v1/jobs", document)["id"]
        time.sleep(self.random.uniform(0.0, 1.2))
        getattr(self, f"break_{fault}")(job_id)
        self.faults[fault] += 1
        job = self._settled(job_id)
        self.outcomes[f"{fault}: {job['state']} after {job['attempt']} attempt(s)"] += 1
        self._check(job, fault)
        return f"{fault:8} {document['engine']:10} {job['state']} attempts {job['attempt']}"

    def _settled(self, job_id: int) -> Any:
        if not self.server.is_up() and self.server.process is None:
            self.start()
        return self.server.wait_for(
            job_id, "succeeded", "failed", "cancelled", timeout=SETTLE_SECONDS
        )

    # What is broken. Each finds its victim in the records, as somebody from outside would.

    def break_master(self, _job_id: int) -> None:
        self.server.kill()

    def break_worker(self, _job_id: int) -> None:
        assert self.server.process is not None
        for process in processes.descendants(self.server.process.pid):
            with contextlib.suppress(OSError):
                if b"gunicorn" in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                    _kill(process.pid)

    def break_runner(self, job_id: int) -> None:
        with self._launch(job_id) as launch:
            _kill(launch["runner"]["pid"])

    def break_trainer(self, job_id: int) -> None:
        with self._launch(job_id) as launch:
            _kill(launch["trainer"]["pid"])

    def break_child(self, job_id: int) -> None:
        with self._launch(job_id) as launch:
            trainer = launch["trainer"]["pid"]
            marked = [p.pid for p in processes.marked(launch["marker"]) if p.pid != trainer]
            for pid in marked[:1]:
                _kill(pid)

    def break_all(self, job_id: int) -> None:
        """The machine is gone: server, runner and trainer in one moment."""
        with self._launch(job_id) as launch:
            self.server.kill()
            _kill(launch["runner"]["pid"])
            processes.end(processes.marked(launch["marker"]))
        if self.server.process is not None:
            self.server.kill()

    def break_tear(self, job_id: int) -> None:
        """Everything is killed while a checkpoint is half written."""
        self.break_all(job_id)
        output = self.server.data / "jobs" / str(job_id) / "output"
        files = sorted(output.glob("*/*.safetensors"), key=lambda p: p.stat().st_mtime)
        if files:
            os.truncate(files[-1], files[-1].stat().st_size // 2)

    def break_freeze(self, _job_id: int) -> None:
        """The server stands still for a while, as on a host that swaps."""
        assert self.server.process is not None
        group = self.server.process.pid
        os.killpg(group, signal.SIGSTOP)
        time.sleep(self.random.uniform(0.5, 2.0))
        os.killpg(group, signal.SIGCONT)

    def break_flood(self, job_id: int) -> None:
        """Another writer fills the log at once."""
        with self._launch(job_id) as launch:
            log = (
                self.server.data
                / "jobs"
                / str(job_id)
                / "attempts"
                / str(launch["attempt"])
                / "log.txt"
            )
            with log.open("ab") as file:
                file.write(b"\nflood " + b"y" * 100 + b"\n")
                file.write((b"z" * 99 + b"\n") * 5_000)

    def break_fill(self, _job_id: int) -> None:
        """The disk of the data folder is full for a while (only where it is a small one of its own)."""
        filler = self.server.data / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while self.small_disk:
                file.write(bytes(1 << 16))
        time.sleep(self.random.uniform(0.3, 1.5))
        filler.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _launch(self, job_id: int) -> Iterator[Any]:
        """launch.json of the newest attempt once its trainer runs; nothing is done if it never does."""
        folder = self.server.data / "jobs" / str(job_id) / "attempts"

        def look() -> Any:
            numbers = sorted((int(p.name) for p in folder.glob("*")), reverse=True)
            data = read_json(folder / str(numbers[0]) / "launch.json") if numbers else None
            return data if data and "trainer" in data else None

        yield until(look, 30, f"the trainer of job {job_id} has started")

    # What must hold afterwards.

    def _check(self, job: Any, fault: str) -> None:
        root = self.server.data / "jobs" / str(job["id"])
        attempts = [
            AttemptDir(p) for p in sorted((root / "attempts").glob("*"), key=lambda p: int(p.name))
        ]
        must(
            len(attempts) == job["attempt"],
            f"{len(attempts)} attempts on disk, {job['attempt']} told",
        )
        for attempt in attempts:
            launch = read_json(attempt.launch)
            if launch:
                self.markers.add(launch["marker"])
                _check_log(attempt)
        self._no_orphans()
        finals = list(root.glob("output/**/chaos.safetensors"))
        last = attempts[-1].read_exit()
        if job["state"] == "succeeded":
            must(bool(finals), "succeeded without a LoRA")
            must(last is not None and last.code == 0, "succeeded without exit code 0")
            must(job["step"] == job["total_steps"], f"step {job['step']} of {job['total_steps']}")
        elif fault == "fill":
            must(bool(job["reason"]), "failed on a full disk without a reason")
        else:
            must(fault == "trainer", f"{fault} ended as {job['state']}: {job['reason']}")
            must("SIGKILL" in job["reason"], f"the reason hides the signal: {job['reason']}")

    def _no_orphans(self) -> None:
        def living() -> list[str]:
            found = [p.pid for marker in self.markers for p in processes.marked(marker)]
            return [f"{pid} {_command(pid)}" for pid in found]

        try:
            until(lambda: not living(), 20, "no process of a finished job lives")
        except AssertionError as error:
            raise ViolationError(f"{error}: {living()}") from None

    def end(self) -> None:
        """Stop the server and compare what it knows with what was asked."""
        jobs = self.server.get("/api/v1/jobs?limit=500")["jobs"]
        must(len(jobs) == sum(self.faults.values()), f"{len(jobs)} jobs known")
        self.server.kill()


def _mount_small_disk(data: Path) -> bool:
    """A disk of 64 MB for the data folder, where we may mount one."""
    data.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(data)]
    return (
        os.geteuid() == 0
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def must(holds: bool, what: str) -> None:
    """Raise ViolationError unless it holds."""
    if not holds:
        raise ViolationError(what)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    return ""


def _check_log(attempt: AttemptDir) -> None:
    """Every step that the trainer drew stands in the log, without a gap."""
    if not attempt.log.exists():
        return
    text = attempt.log.read_bytes()
    steps = [int(m[1]) for m in re.finditer(rb"\| (\d+)/\d+ \[", text)]
    for before, after in itertools.pairwise(steps):
        must(after - before in (0, 1), f"{attempt.log}: step {after} follows {before}")


def document(folder: Path) -> dict[str, Any]:
    shots = pictures.folder(folder / "pictures", caption=None)
    model = models.pipeline(folder / "model")
    return {
        "name": "chaos", "family": "sd15", "base_model": str(model),
        "datasets": [{"path": str(shots), "resolution": [64]}], "length": {"steps": STEPS},
        "memory": {"mixed_precision": "no"}, "network": {"rank": 4}, "saving": {"every_steps": 7},
    }  # fmt: skip
