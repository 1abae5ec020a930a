"""Who may start where: a GPU runs one job; a machine without GPUs has one CPU slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.gpu import Gpu
from app.jobs import service
from app.models import Job

if TYPE_CHECKING:
    from app.platform import Platform


FOREIGN_BYTES = 2_000_000_000
"""A GPU that none of our jobs holds and that has more than this in use is somebody else's."""


class Slots:
    """The free places of one tick. ``take`` hands one out and remembers it."""

    def __init__(self, free: set[int], cpu: bool) -> None:
        self._free = free
        self._cpu = cpu

    @classmethod
    def now(cls, platform: Platform, active: Sequence[Job]) -> Slots:
        """What is free beside the active jobs."""
        report = platform.gpus.report()
        taken = {int(g) for job in active for g in job.gpus.split(",") if g}
        free = {
            gpu.index
            for gpu in report.gpus
            if gpu.index not in taken and not why_not(gpu, platform.settings.gpus)
        }
        # A driver that fails is no reason to train on the CPU of a GPU machine.
        return cls(free, cpu=not report.gpus and not report.broken and not active)

    def take(self, job: Job) -> tuple[int, ...] | None:
        """GPU indices for the job (none on a CPU machine), or None when it has to wait."""
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


def why_not(gpu: Gpu, allowed: frozenset[int] | None) -> str:
    """Why no job may start on a GPU that none of ours holds; empty when one may."""
    if not gpu.usable:
        return "it has fallen off the bus; restart the machine"
    if allowed is not None and gpu.index not in allowed:
        return "GPUS leaves it out"
    if (gpu.memory_used or 0) > FOREIGN_BYTES:
        return "another program is using its memory"
    return ""
