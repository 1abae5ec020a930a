"""Chaos on a real Slurm cluster: whatever dies there, no job is lost, doubled or lied about."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from app.jobs.rundir import AttemptDir, read_json
from tests.support.chaos import Chaos, must
from tests.support.slurm import Cluster

SETTLE_SECONDS = 240
_ENDINGS = (signal.SIGTERM, signal.SIGKILL)


class SlurmChaos(Chaos):
    """As ``Chaos``, with the faults of a cluster."""

    kinds = (
        "master",
        "worker",
        "freeze",
        "controller",
        "lost_controller",
        "daemon",
        "node",
        "down",
        "scancel",
        "hide",
        "runner",
        "trainer",
        "blind",
    )

    def __init__(self, folder: Path, seed: int) -> None:
        self.cluster = Cluster()
        super().__init__(
            folder, seed, {**self.cluster.env, "EXECUTOR": "slurm", "SLURM_LAG_SECONDS": "8"}
        )

    def start(self) -> None:
        if not self.cluster.conf.exists():
            self.cluster.start()
        super().start()

    def round(self) -> str:
        told = super().round()
        self.cluster.mend()
        return told

    def _settled(self, job_id: int) -> Any:
        if self.server.process is None or not self.server.is_up():
            self.start()
        return self.server.wait_for(
            job_id, "succeeded", "failed", "cancelled", timeout=SETTLE_SECONDS
        )

    def break_controller(self, _job_id: int) -> None:
        """Stopped as an administrator does it, and started again."""
        self.cluster.kill("slurmctld", self.random.choice(_ENDINGS))
        time.sleep(self.random.uniform(0.0, 2.0))
        self.cluster.start_controller()

    def break_lost_controller(self, job_id: int) -> None:
        """The controller is away for long, and the dashboard dies meanwhile."""
        self.cluster.kill("slurmctld", self.random.choice(_ENDINGS))
        self.server.kill()
        self.start()
        self.cluster.start_controller()

    def break_daemon(self, job_id: int) -> None:
        """A node's daemon dies; its jobs live on; it comes back."""
        node = self._node(job_id)
        self.cluster.kill(node)
        time.sleep(self.random.uniform(0.0, 2.0))
        self.cluster.start_node(node)

    def break_node(self, job_id: int) -> None:
        """A node dies with all that it runs."""
        self.cluster.crash(self._node(job_id))

    def break_down(self, job_id: int) -> None:
        """An administrator sets a node down."""
        self.cluster.set_down(self._node(job_id))

    def break_scancel(self, job_id: int) -> None:
        self.cluster.run("scancel", str(self._number(job_id)))

    def break_hide(self, job_id: int) -> None:
        """The shared filesystem does not show the run directory for a while."""
        with self._launch(job_id) as launch:
            root = self.server.data / "jobs" / str(job_id) / "attempts" / str(launch["attempt"])
        away = root.with_name(f".away-{root.name}")
        root.rename(away)
        time.sleep(self.random.uniform(0.5, 4.0))
        away.rename(root)

    def break_blind(self, job_id: int) -> None:
        """Nobody may talk to anybody: munge is gone for a while."""
        self.cluster.kill("munge")
        time.sleep(self.random.uniform(0.5, 3.0))
        self.cluster.start_munge()

    def _number(self, job_id: int) -> int:
        with self._launch(job_id) as launch:
            return int(launch["slurm"]["job_id"])

    def _node(self, job_id: int) -> str:
        seen = {one.id: one.nodes for one in self.cluster.slurm.jobs()}
        return seen.get(self._number(job_id)) or "n1"

    def _check(self, job: Any, fault: str) -> None:
        root = self.server.data / "jobs" / str(job["id"])
        folders = sorted((root / "attempts").glob("[0-9]*"), key=lambda path: int(path.name))
        self._check_not_doubled([AttemptDir(path) for path in folders])
        if fault == "scancel" and job["state"] == "cancelled":
            must("cancelled in Slurm" in job["reason"], f"untrue reason: {job['reason']}")
            self._no_orphans()
            return
        super()._check(job, fault)

    def _check_not_doubled(self, attempts: list[AttemptDir]) -> None:
        """No two jobs of one attempt ran, and no attempt began before the one before was over."""
        ran = Counter(
            one.name
            for one in self.cluster.slurm.jobs()
            if one.nodes and one.name.startswith("lora-")
        )
        must(max(ran.values(), default=1) == 1, f"an attempt was run twice: {ran}")
        over = 0.0
        for attempt in attempts:
            launch = read_json(attempt.launch) or {}
            started = launch.get("started")
            if started is None:
                continue
            must(started > over, f"{attempt.root} began while the one before still ran")
            over = attempt.log.stat().st_mtime
