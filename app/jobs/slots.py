"""Who may start where: a GPU runs one job; a machine without GPUs has one CPU slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.jobs import service
from app.models import Job

if TYPE_CHECKING:
    from app.platform import Platform


class Slots:
    """The free places of one tick. ``take`` hands one out and remembers it."""

    def __init__(self, free: set[int], cpu: bool) -> None:
        self._free = free
        self._cpu = cpu

    @classmethod
    def now(cls, platform: Platform, active: Sequence[Job]) -> Slots:
        """What is free beside the active jobs."""
        gpus = {gpu.index for gpu in platform.gpus.report().gpus if gpu.usable}
        taken = {int(g) for job in active for g in job.gpus.split(",") if g}
        return cls(gpus - taken, cpu=not gpus and not active)

    def take(self, job: Job) -> tuple[int, ...] | None:
        """GPU indices for the job (none on a CPU machine), or None when it has to wait."""
        if self._cpu:
            self._cpu = False
            return ()
        wanted = service.spec_of(job).gpus
        if len(self._free) < wanted or not self._free:
            return None
        chosen = tuple(sorted(self._free)[:wanted])
        self._free -= set(chosen)
        return chosen
