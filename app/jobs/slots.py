"""Who may start where: a GPU runs one job; a machine without GPUs has one CPU slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.gpu import Gpu
from app.jobs import elsewhere, service
from app.models import Job

if TYPE_CHECKING:
    from app.platform import Platform
    from app.settings import Settings


HANDED_AT_ONCE = 8
"""So many jobs are made ready for Slurm at the same time; the others follow."""
FOREIGN_BYTES = 2_000_000_000
"""A GPU that none of our jobs holds and that has more than this in use is somebody else's."""


class Slots:
    """The free places of one tick. ``take`` hands one out and remembers it."""

    def __init__(self, free: set[int], cpu: bool, elsewhere: int, settings: Settings) -> None:
        self._free = free
        self._cpu = cpu
        self._elsewhere = elsewhere
        self._settings = settings

    @classmethod
    def now(cls, platform: Platform, active: Sequence[Job], being_prepared: int = 0) -> Slots:
        """What is free beside the active jobs."""
        settings = platform.settings
        handed = [job for job in active if elsewhere.executor_of(job, settings) == "slurm"]
        room = _room_in_slurm(platform, len(handed), being_prepared)
        report = platform.gpus.report()
        taken = {int(g) for job in active for g in job.gpus.split(",") if g}
        free = {
            gpu.index
            for gpu in report.gpus
            if gpu.index not in taken and not why_not(gpu, platform.settings.gpus)
        }
        # A driver that fails is no reason to train on the CPU of a GPU machine.
        cpu = not report.gpus and not report.broken and len(handed) == len(active)
        return cls(free, cpu, room, settings)

    @property
    def none(self) -> bool:
        """Whether no job at all can start now."""
        return not (self._free or self._cpu or self._elsewhere > 0)

    def take(self, job: Job) -> tuple[int, ...] | None:
        """GPU indices for the job (none on a CPU machine or a cluster, which numbers its own), or
        None when it has to wait.
        """
        if elsewhere.executor_of(job, self._settings) == "slurm":
            self._elsewhere -= 1
            return () if self._elsewhere >= 0 else None
        if self._cpu:
            self._cpu = False
            return ()
        chosen = {int(g) for g in job.gpu_choice.split(",") if g}
        able = sorted(self._free & chosen if chosen else self._free)
        wanted = service.spec_of(job).gpus
        if not able or len(able) < wanted:
            return None
        gpus = tuple(able[:wanted])
        self._free -= set(gpus)
        return gpus


def _room_in_slurm(platform: Platform, handed: int, being_prepared: int) -> int:
    """How many jobs may be handed to Slurm now. While nobody answers there, none."""
    slurm = platform.settings.slurm
    if slurm is None or platform.executor_for("slurm").notice():
        return 0
    most = HANDED_AT_ONCE - being_prepared
    return most if slurm.max_jobs is None else min(most, slurm.max_jobs - handed)


def why_not(gpu: Gpu, allowed: frozenset[int] | None) -> str:
    """Why no job may start on a GPU that none of ours holds; empty when one may."""
    if not gpu.usable:
        return "it has fallen off the bus; restart the machine"
    if allowed is not None and gpu.index not in allowed:
        return "GPUS leaves it out"
    if (gpu.memory_used or 0) > FOREIGN_BYTES:
        return "another program is using its memory"
    return ""
