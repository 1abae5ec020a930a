"""Who may start where: a GPU runs one job; a machine without GPUs has one CPU slot."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from app.gpu import Gpu
from app.jobs import elsewhere, store
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

    def __init__(
        self, free: set[int], cpu: bool, in_slurm: int, settings: Settings, here: frozenset[int]
    ) -> None:
        self._free, self._here = free, here
        self._cpu = cpu
        self._in_slurm = in_slurm
        self._settings = settings

    @classmethod
    def now(cls, platform: Platform, active: Sequence[Job], being_handed: int = 0) -> Slots:
        """What is free beside the active jobs, of which so many are on their way to Slurm."""
        # Where they are, not where they would go by settings that may have changed since.
        attempts = store.newest_attempts(active).values()
        handed = [attempt for attempt in attempts if attempt.executor == "slurm"]
        room = _room_in_slurm(platform, len(handed), being_handed)
        report = platform.gpus.report()
        taken = {int(g) for job in active for g in job.gpus.split(",") if g}
        free = {
            gpu.index
            for gpu in report.gpus
            if gpu.index not in taken and not why_not(gpu, platform.settings.gpus)
        }
        # A driver that fails is no reason to train on the CPU of a GPU machine.
        cpu = not report.gpus and not report.broken and len(handed) == len(active)
        usable = (gpu for gpu in report.gpus if gpu.usable)
        here = frozenset(g.index for g in usable if _is_allowed(g, platform.settings.gpus))
        return cls(free, cpu, room, platform.settings, here)

    @property
    def none(self) -> bool:
        """Whether no job at all can start now."""
        return not (self._free or self._cpu or self._in_slurm > 0)

    @property
    def wishes(self) -> list[str]:
        """Where jobs may want to run, so that one of them finds a place."""
        here = bool(self._free or self._cpu)
        room = {"local": here, "slurm": self._in_slurm > 0}
        return [w for w in ("", *room) if room[elsewhere.runs_at(w, self._settings)]]

    def take(self, job: Job) -> tuple[int, ...] | None:
        """GPU indices for the job (none on a CPU machine or a cluster, which numbers its own), or
        None when it has to wait.
        """
        if elsewhere.runs_at(job.executor, self._settings) == "slurm":
            self._in_slurm -= 1
            return () if self._in_slurm >= 0 else None
        if self._cpu:
            self._cpu = False
            return ()
        able, wanted = sorted(chosen(job, self._free)), _gpus_of(job)
        if not able or len(able) < wanted:
            return None
        gpus = tuple(able[:wanted])
        self._free -= set(gpus)
        return gpus

    def lacking(self, job: Job) -> str:
        """What it waits for that this machine does not have, as after a move to another one; empty
        where it only waits for its turn.
        """
        here = bool(self._here) and elsewhere.runs_at(job.executor, self._settings) == "local"
        wanted = _gpus_of(job)
        if not here or len(chosen(job, self._here)) >= wanted:
            return ""
        if job.gpu_choice:
            return f"waits for GPU {job.gpu_choice}, which jobs cannot have here"
        return f"waits for {wanted} GPUs; jobs can have {len(self._here)} here"


def chosen(job: Job, gpus: Collection[int]) -> set[int]:
    """Those of these GPUs that it may run on."""
    chosen = {int(g) for g in job.gpu_choice.split(",") if g}
    return {gpu for gpu in gpus if not chosen or gpu in chosen}


def _gpus_of(job: Job) -> int:
    """How many it asks for. Its document was validated when it came; a long queue is not, each second."""
    return int(json.loads(job.document).get("gpus") or 1)


def _room_in_slurm(platform: Platform, handed: int, being_handed: int) -> int:
    """How many jobs may be handed to Slurm now. While nobody answers there, none."""
    slurm = platform.settings.slurm
    if slurm is None or platform.slurm.notice():
        return 0
    most = HANDED_AT_ONCE - being_handed
    return most if slurm.max_jobs is None else min(most, slurm.max_jobs - handed)


def _is_allowed(gpu: Gpu, allowed: frozenset[int] | None) -> bool:
    return allowed is None or gpu.index in allowed


def why_not(gpu: Gpu, allowed: frozenset[int] | None) -> str:
    """Why no job may start on a GPU that none of ours holds; empty when one may."""
    if not gpu.usable:
        return "it has fallen off the bus; restart the machine"
    if not _is_allowed(gpu, allowed):
        return "GPUS leaves it out"
    if (gpu.memory_used or 0) > FOREIGN_BYTES:
        return "another program is using its memory"
    return ""
