"""What Slurm says of a job, and what it means for an attempt, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

FORMAT = "%i|%T|%r|%N|%j|%k"
"""Columns of squeue: id, state, reason, nodes, name, comment; the comment last, it may hold a bar."""

Stage = Literal["waiting", "running", "over"]

_WAITING = {
    "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
}  # fmt: skip
_OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL",
    "OUT_OF_MEMORY", "PREEMPTED", "RECONFIG_FAIL", "REVOKED", "TIMEOUT",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One line of squeue."""

    id: int
    state: str
    reason: str
    nodes: str
    name: str
    comment: str = ""

    @property
    def stage(self) -> Stage:
        """A state that is not known is one of a running job: nothing is started again for it."""
        if self.state in _WAITING:
            return "waiting"
        return "over" if self.state in _OVER else "running"

    @property
    def held_by_user(self) -> bool:
        """As we hand every job over, and release it once its number is written down."""
        return self.state == "PENDING" and self.reason == "JobHeldUser"


@dataclass(frozen=True)
class End:
    """What the end of a job means, where Slurm and not the trainer brought it about.

    ``then``: queue it again by itself, fail it, or leave it cancelled.
    """

    sentence: str
    then: Literal["again", "failed", "cancelled"] = "again"
    suggestion: str = ""
    cause: str = ""


_ENDS: dict[str, End] = {
    "NODE_FAIL": End("the node {nodes} failed or was set down"),
    "BOOT_FAIL": End("the node {nodes} did not boot"),
    "LAUNCH_FAILED": End("the node {nodes} could not launch it"),
    "RECONFIG_FAIL": End("the node {nodes} could not be set up for it"),
    "REVOKED": End("another cluster of the federation took it"),
    "PREEMPTED": End("it was preempted by a job of higher priority"),
    "TIMEOUT": End("it reached Slurm's time limit before it had saved and ended",
                   suggestion="Give it a longer time limit, or save more often."),
    "DEADLINE": End("its deadline in Slurm passed", "failed",
                    "Submit it without --deadline, or with a later one.", "slurm-deadline"),
    "OUT_OF_MEMORY": End(
        "it used more memory than Slurm gave it (out of memory on {nodes})", "failed",
        "Ask for more with --mem among the Slurm options, or use fewer data workers and smaller caches.",
        "memory"),
    "CANCELLED": End("it was cancelled in Slurm (scancel, by an administrator or by hand), not by this program",
                     "cancelled", "Retry goes on from the newest save."),
}  # fmt: skip

_WAITS = {
    "Resources": "the next to start as soon as GPUs are free",
    "Priority": "jobs of higher priority are before it",
    "Dependency": "another job has to end first",
    "BeginTime": "its start time is not reached",
    "JobHeldUser": "it is held; scontrol release lets it go",
    "JobHeldAdmin": "an administrator holds it",
    "ReqNodeNotAvail": "the nodes it needs are down, drained or reserved",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition takes no jobs",
    "PartitionTimeLimit": "its time limit is longer than the partition allows; it will never start",
    "PartitionNodeLimit": "it asks for more than the partition has; it will never start",
    "BadConstraints": "no node fits its constraint; it will never start",
    "InvalidAccount": "its account is not valid; it will never start",
    "InvalidQOS": "its QOS is not valid; it will never start",
    "Licenses": "a licence is in use",
    "Reservation": "its reservation has not begun",
    "NodeDown": "a node it needs is down",
    "QOSMaxGRESPerUser": "you use as many GPUs as your QOS allows",
    "QOSMaxJobsPerUserLimit": "you have as many jobs as your QOS allows",
    "AssocGrpGRES": "your account uses as many GPUs as it may",
    "AssocMaxJobsLimit": "your account has as many jobs as it may",
    "launch failed requeued held": "its launch failed; an administrator has to look",
}


_OVER_MEMORY = re.compile(
    r"^slurmstepd.*(exceeded (job )?memory limit|oom.kill)", re.IGNORECASE | re.MULTILINE
)


def end_of(seen: Seen, output: str = "") -> End | None:
    """What Slurm did to it; None where it ended by itself (COMPLETED, FAILED).

    ``output``: what the batch script's file holds. Without cgroups (OverMemoryKill), Slurm calls a
    job that it killed for its memory FAILED, and says why only there.
    """
    state = seen.state
    if state == "FAILED" and _OVER_MEMORY.search(output):
        state = "OUT_OF_MEMORY"
    found = _ENDS.get(state)
    if found is None:
        return None
    nodes = seen.nodes or "it ran on"
    return End(found.sentence.format(nodes=nodes), found.then, found.suggestion, found.cause)


_IN_SLURM = "waiting in Slurm"


def waiting_words(seen: Seen) -> str:
    """Why it does not run yet, for a page."""
    if seen.state == "CONFIGURING":
        return f"{_IN_SLURM}: {seen.nodes or 'its node'} is being made ready"
    reason = seen.reason.strip("() ")
    if reason in ("", "None"):
        return _IN_SLURM
    words = _WAITS.get(reason.partition(",")[0])
    return f"{_IN_SLURM}: {reason} ({words})" if words else f"{_IN_SLURM}: {reason}"


def running_words(seen: Seen) -> str:
    """What a running job is shown with beside its phase; empty when nothing is special."""
    if seen.state in ("SUSPENDED", "STOPPED"):
        return "suspended in Slurm"
    return ""


def read(text: str) -> Iterator[Seen]:
    """The jobs of ``squeue -h -o FORMAT``; what is no line of ours is left out."""
    for line in text.splitlines():
        parts = line.split("|", 5)
        if len(parts) == 6 and parts[0].isdecimal():
            number, state, reason, nodes, name, comment = parts
            yield Seen(int(number), state.strip(), reason.strip(), nodes, name, comment)
