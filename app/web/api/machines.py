"""The machines of the cluster, as their page shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from app.jobs.cluster_use import our_jobs
from app.jobs.describing import iso
from app.platform import current
from app.slurm import cards
from app.web.api.registry import Answer, operation

if TYPE_CHECKING:
    from app.slurm.nodes import Gpus, Load, Node, Partition

Words = Literal["free", "busy", "leaving", "out", "down"]


class GpusJson(Answer):
    """The GPUs of one type; ``memory_gb`` of each where it is known."""

    type: str
    total: int
    free: int
    busy: int
    out: int = Field(description="Not in use, and not to be had: its machine is drained or down.")
    memory_gb: float | None


class NodeJson(Answer):
    """One machine. Memory in MB, as Slurm counts it."""

    name: str
    state: Words = Field(
        description="free and busy take jobs; leaving has some and takes no more; out takes none."
    )
    words: str
    slurm_state: str
    reason: str
    since: str | None
    partitions: list[str]
    cpus: int
    cpus_busy: int
    memory: int
    memory_busy: int
    gpus: list[GpusJson]


class PartitionJson(Answer):
    """A queue of the cluster. ``time_limit`` as Slurm writes it."""

    name: str
    default: bool
    up: bool
    time_limit: str
    gpus: list[GpusJson]


class ClusterJobJson(Answer):
    """A job in Slurm's queue; ``job`` is its number here where it is ours."""

    slurm_id: str
    job: int | None
    state: str
    partition: str
    gpus: int
    nodes: list[str]
    reason: str
    since: str | None


class Machines(Answer):
    """The cluster at one moment. Empty where none is set up, or where nothing was told yet."""

    configured: bool
    problem: str = Field(description="Why there is no newer answer; empty while Slurm answers.")
    read: str | None = Field(description="When Slurm told this.")
    nodes: list[NodeJson]
    partitions: list[PartitionJson]
    jobs: list[ClusterJobJson]


@operation("GET /machines", tag="Machine", answer=Machines)
def machines() -> Machines:
    """Show the machines of the Slurm cluster.

    Other people's jobs are listed without their names.
    """
    watch = current().cluster
    if watch is None:
        return Machines(configured=False, problem="", read=None, nodes=[], partitions=[], jobs=[])
    report = watch.report()
    cluster = report.cluster
    ours = our_jobs(cluster) if cluster else {}
    return Machines(
        configured=True,
        problem=report.problem,
        read=iso(report.at),
        nodes=[_node(node) for node in cluster.nodes] if cluster else [],
        partitions=[_partition(one) for one in cluster.partitions] if cluster else [],
        jobs=[_job(load, ours[load.number].id if load.number in ours else None)
              for load in cluster.jobs] if cluster else [],
    )  # fmt: skip


def _node(node: Node) -> NodeJson:
    return NodeJson(
        name=node.name, state=node.kind, words=node.words, slurm_state=node.state,
        reason=node.reason, since=_when(node.since), partitions=list(node.partitions),
        cpus=node.cpus, cpus_busy=node.cpus_busy, memory=node.memory,
        memory_busy=node.memory_busy, gpus=_gpus(node.gpus),
    )  # fmt: skip


def _partition(partition: Partition) -> PartitionJson:
    return PartitionJson(
        name=partition.name, default=partition.default, up=partition.is_up,
        time_limit=partition.limit, gpus=_gpus(partition.gpus),
    )  # fmt: skip


def _gpus(found: tuple[Gpus, ...]) -> list[GpusJson]:
    slurm = current().settings.slurm
    told = slurm.gpu_memory if slurm else {}
    known = [(one, cards.memory_of(one.type, told)) for one in found]
    return [
        GpusJson(type=one.type, total=one.total, free=one.free, busy=one.busy, out=one.out,
                 memory_gb=memory.gb if memory else None)
        for one, memory in known
    ]  # fmt: skip


def _job(load: Load, job: int | None) -> ClusterJobJson:
    return ClusterJobJson(
        slurm_id=load.number, job=job, state=load.state.lower(), partition=load.partition,
        gpus=load.gpus, nodes=list(load.nodes), reason=load.reason, since=_when(load.since),
    )  # fmt: skip


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment.timestamp())
