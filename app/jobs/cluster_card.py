"""Which GPU a job on the cluster would get: the smallest of its partition, where that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.jobs.elsewhere import runs_at
from app.platform import Platform
from app.slurm import cards
from app.slurm.cards import Memory, Smallest
from app.slurm.options import OptionError, SlurmOptions
from app.slurm.settings import SlurmSettings

if TYPE_CHECKING:
    from app.slurm.nodes import Cluster, Gpus, Partition


@dataclass(frozen=True)
class ClusterCard:
    """What stands in for this machine's GPU. ``gb`` None: not known, and ``note`` says why.

    ``where`` names the partition; ``warnings`` say what Slurm would refuse, or never start.
    ``memory_gb`` is the main memory of its smallest machine.
    """

    where: str
    type: str = ""
    gb: float | None = None
    note: str = ""
    memory_gb: float | None = None
    warnings: tuple[str, ...] = ()


def cluster_card(platform: Platform, place: Mapping[str, str], gpus: int = 1) -> ClusterCard | None:
    """For a job that is meant for ``place`` (executor and fields of SlurmOptions); None: it runs here."""
    slurm = platform.settings.slurm
    if runs_at(place.get("executor", ""), platform.settings) != "slurm" or slurm is None:
        return None
    own = {name: text for name, text in place.items() if name != "executor" and text}
    try:
        options = SlurmOptions.checked(own).over(slurm.general)
    except OptionError:
        options = slurm.general  # told at its field
    where = f"partition {options.partition}" if options.partition else "the default partition"
    report = platform.cluster.report() if platform.cluster else None
    if report is None or report.cluster is None:
        return ClusterCard(where, note="it is not known while Slurm does not answer")
    return _of(report.cluster, options, slurm, gpus, where)


def usual_card_gb(
    platform: Platform, place: Mapping[str, str], chosen: float | None
) -> float | None:
    """The card that defaults are for: the chosen one, else the cluster's; None: as this machine has."""
    if chosen is not None:
        return chosen
    card = cluster_card(platform, place)
    return card.gb if card else None


def _of(
    cluster: Cluster, options: SlurmOptions, slurm: SlurmSettings, gpus: int, where: str
) -> ClusterCard:
    names = options.partition.split(",") if options.partition else [""]
    found = [partition for name in names if (partition := cluster.partition(name))]
    if not found:
        known = ", ".join(partition.name for partition in cluster.partitions)
        what = f"Slurm has no {where}" if options.partition else "Slurm has no default partition"
        return ClusterCard(where, note="there is no such partition",
                           warnings=(f"{what}; there are {known}.",))  # fmt: skip
    if not options.partition:
        where = f"partition {found[0].name}"
    machines = {node.name: node for partition in found for node in partition.nodes}.values()
    fitting = [node for node in machines if _count(node.gpus, options.gpu_type) >= gpus]
    if not fitting:
        return ClusterCard(where, note="it has no such GPUs",
                           warnings=(_too_many(found, options.gpu_type, gpus, where),))  # fmt: skip
    kinds = {one.type for node in fitting for one in node.gpus if _fits(one, options.gpu_type)}
    smallest = cards.smallest(kinds, slurm.gpu_memory)
    memory = smallest.memory
    return ClusterCard(
        where,
        type=smallest.type,
        gb=memory.gb if memory else None,
        note=_note(smallest, memory, options),
        memory_gb=min(node.memory for node in fitting) * 2**20 / 1e9,
        warnings=() if any(one.is_up for one in found) else (
            f"{where[0].upper()}{where[1:]} is {found[0].available}: it starts no job now.",),
    )  # fmt: skip


def _fits(gpus: Gpus, wanted: str) -> bool:
    return not wanted or gpus.type.lower() == wanted.lower()


def _count(found: tuple[Gpus, ...], wanted: str) -> int:
    """How many of one request a machine can serve: of any type together, where none is asked for."""
    return sum(one.total for one in found if _fits(one, wanted))


def _too_many(found: list[Partition], wanted: str, gpus: int, where: str) -> str:
    kinds = sorted({one.type or "no type" for partition in found for one in partition.gpus})
    most = max(
        (_count(node.gpus, wanted) for partition in found for node in partition.nodes), default=0
    )
    if wanted and not most:
        return f"No machine of {where} has a GPU of type {wanted}; there are {', '.join(kinds) or 'none'}."
    if not most:
        return f"No machine of {where} has a GPU."
    return f"No machine of {where} has {gpus} such GPUs; the most is {most}. It would never start."


def _note(smallest: Smallest, memory: Memory | None, options: SlurmOptions) -> str:
    """Where the figure is from, or why there is none."""
    if memory is None:
        kinds = ", ".join(smallest.unknown)
        return f"not known for GPUs {kinds}; set SLURM_GPU_MEMORY, such as a100:80"
    note = f"{smallest.type or 'its GPUs'}, by {memory.source}" if memory.sure else memory.source
    return (
        f"{note}; the constraint {options.constraint} is not looked at"
        if options.constraint
        else note
    )
