"""What one running program holds besides its database: settings, supervisor, executor, caches.

Kept in ``flask_app.extensions["vast-lora"]``; ``current()`` finds it inside any application
context, so that services need no global state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from flask import Flask, current_app

from app import gpu
from app.base_models import HubChecker, hf_token
from app.jobs import installations
from app.jobs.engine_options import OptionLibrary
from app.jobs.executor import ClusterExecutor, Executor
from app.jobs.executor_local import LocalExecutor
from app.machine import HostMeter, MachineWatch, Snapshot
from app.settings import ROOT, Settings
from app.slurm.commands import Slurm
from app.slurm.settings import SlurmSettings
from app.tasks import Runner
from app.vast import Client, Keeper, Undelivered
from app.vault import Vault
from app.waking import ring

if TYPE_CHECKING:
    from app.jobs.supervisor import Supervisor
    from app.slurm.watch import ClusterWatch

EXTENSION = "vast-lora"


class Watcher(Protocol):
    """Something that follows what is written down about jobs and acts on it, without waiting."""

    def tick(self) -> None:
        """One look, in an application context."""


class Platform:
    """The collaborators of one program. Tests replace an attribute; nobody patches."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        import sys

        self.app = app
        self.settings = settings
        self.executor: Executor = LocalExecutor(sys.executable, ROOT / "scripts" / "run_job.py")
        self._slurm: ClusterExecutor | None = None
        self.gpus = gpu.Sampler()
        self.hub = HubChecker(
            settings.hf_endpoint, lambda: hf_token(settings), settings.hf_home,
            offline=settings.hf_hub_offline,
        )  # fmt: skip
        self.options = OptionLibrary(settings)
        self.host = HostMeter(settings.data_dir)
        self.machine = MachineWatch(self._look)
        self.vault = Vault(settings.data_dir)
        self.tasks = Runner(app, settings, wake=lambda: ring(settings.data_dir))
        self.watchers: list[Watcher] = []
        """Looked at by the supervisor at the end of each tick; what stands above jobs hangs in here."""
        self.undelivered: Callable[[], Undelivered] = Undelivered
        """What has to be verified as copied before the machine may go away; set by ``create_app``."""
        self.vast = Keeper(_vast_client(settings))
        self.cluster = _cluster_watch(settings)
        """The machines of the cluster; None where jobs run on this machine alone."""
        self._supervisor: Supervisor | None = None

    def _look(self) -> Snapshot:
        return Snapshot(time.monotonic(), self.gpus.report().gpus, self.host.read())

    def executor_for(self, name: str) -> Executor:
        """The executor of an attempt by its name. What was handed to Slurm is asked of Slurm,
        whatever the settings say now.
        """
        return self.slurm if name == "slurm" else self.executor

    @property
    def slurm(self) -> ClusterExecutor:
        """The executor of the cluster; made at first use."""
        if self._slurm is None:
            from app.jobs.executor_slurm import SlurmExecutor

            self._slurm = SlurmExecutor(
                Slurm(),
                self.settings.slurm or SlurmSettings(),
                ROOT / "scripts" / "run_job.py",
                self.settings.data_dir,
            )
        return self._slurm

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor; made at first use, running only after ``start_supervisor``."""
        if self._supervisor is None:
            from app.jobs.supervisor import Supervisor

            self._supervisor = Supervisor(self)
        return self._supervisor

    def start_supervisor(self) -> None:
        """Start the thread. Called once by the server, never at import."""
        self.supervisor.start()
        for installation in installations.find_all(self.settings):
            self.options.now(installation)

    def stop_supervisor(self) -> None:
        """Stop supervising; running jobs go on and the next supervisor adopts them."""
        self.supervisor.quit()
        self.tasks.quit()


def _cluster_watch(settings: Settings) -> ClusterWatch | None:
    if settings.slurm is None:
        return None
    # Imported where there is a cluster: others need not pay for it at each start.
    from app.slurm.watch import ClusterWatch

    return ClusterWatch(Slurm().run)


def _vast_client(settings: Settings) -> Client | None:
    key = settings.container_api_key
    if not (settings.container_id and key):
        return None
    return Client(settings.vast_api_url, settings.container_id, key)


def current() -> Platform:
    """The platform of the application context we are in."""
    found: Platform = current_app.extensions[EXTENSION]
    return found
