"""The machines of the cluster: nodes, their GPUs, our jobs on them and what others take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from app.jobs.cluster_use import Use, our_jobs, use
from app.models import Job
from app.platform import current
from app.slurm import cards
from app.slurm.states import Seen, waiting_words
from app.web import htmx

if TYPE_CHECKING:
    from app.slurm.nodes import Cluster, Kind, Load, Node, Partition
    from app.slurm.watch import Report

bp = Blueprint("machines", __name__)

MOST_NODES = 100
MOST_WAITING = 20
_BY_NEED: dict[Kind, int] = {"down": 1, "out": 2, "leaving": 3, "busy": 4, "free": 5}
"""Order among the nodes of a large cluster: what needs a person stands before what is well."""
ICONS: dict[Kind, str] = {
    "free": "succeeded", "busy": "running", "leaving": "stopping", "out": "held", "down": "failed",
}  # fmt: skip


def install(app: Flask) -> None:
    """Every page knows whether there is a cluster: it is in the navigation then."""
    app.context_processor(lambda: {"has_cluster": current().cluster is not None})
    app.jinja_env.filters["time_limit"] = time_limit


@bp.get("/machines")
def index() -> ResponseReturnValue:
    return render_template("pages/machines.html", **_now(_report()))


@bp.get("/machines/now")
def now() -> ResponseReturnValue:
    report = _report()
    if report is None or report.version == request.args.get("v"):
        return "", 204  # before anything is counted: most polls end here
    return htmx.fragment("machines_now", **_now(report))


def time_limit(text: str) -> str:
    """Slurm's 7-00:00:00 as 7 days, 12:00:00 as 12 h, 30:00 as 30 min; anything else as it is."""
    if text in ("infinite", "UNLIMITED"):
        return "none"
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):\d\d", text)
    if not found:
        return text
    days, hours, minutes = (int(word or 0) for word in found.groups())
    parts = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or text


@dataclass(frozen=True)
class NodeView:
    """A node as drawn. ``places`` has a word for each GPU: ours, theirs, free or out."""

    node: Node
    use: Use
    places: tuple[tuple[str, tuple[str, ...]], ...]
    memory_gb: float
    memory_busy_gb: float


@dataclass(frozen=True)
class PartitionView:
    """A partition with the jobs in it, and the memory of its GPUs by type, in GB, where known."""

    partition: Partition
    use: Use
    memory: dict[str, str]


def _report() -> Report | None:
    watch = current().cluster
    return None if watch is None else watch.report()


def _now(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {"report": None, "cluster": None, "version": "none"}
    from app.slurm.nodes import Cluster  # only where there is a cluster

    cluster = report.cluster or Cluster()
    ours = our_jobs(cluster)
    nodes = _nodes(cluster, ours)
    waiting = [
        (ours[load.number], load, _why(load))
        for load in cluster.jobs
        if load.waits and load.number in ours
    ]
    return {
        "report": report,
        "version": report.version,
        "cluster": report.cluster,
        "use": use(cluster.jobs, ours),
        "partitions": _partitions(cluster, ours),
        "nodes": nodes[:MOST_NODES],
        "more_nodes": len(nodes) - MOST_NODES,
        "waiting": waiting[:MOST_WAITING],
        "more_waiting": len(waiting) - MOST_WAITING,
        "icons": ICONS,
        "kinds": _kinds(cluster.nodes),
    }


def _why(load: Load) -> str:
    """What it waits for, in words."""
    seen = Seen(0, load.state, load.reason, ",".join(load.nodes), load.name)
    return waiting_words(seen).removeprefix("waiting in Slurm").removeprefix(": ")


def _kinds(nodes: Iterable[Node]) -> dict[Kind, int]:
    counts: dict[Kind, int] = dict.fromkeys(ICONS, 0)
    for node in nodes:
        counts[node.kind] += 1
    return counts


def _partitions(cluster: Cluster, ours: dict[str, Job]) -> list[PartitionView]:
    slurm = current().settings.slurm
    told = slurm.gpu_memory if slurm else {}
    known = {gpus.type: cards.memory_of(gpus.type, told) for gpus in cluster.gpus}
    memory = {kind: f"{'' if m.sure else 'at least '}{m.gb:g} GB" for kind, m in known.items() if m}
    within: dict[str, list[Load]] = {}
    for load in cluster.jobs:
        # A job that waits may have named several.
        for name in load.partition.split(","):
            within.setdefault(name, []).append(load)
    return [
        PartitionView(one, use(within.get(one.name, ()), ours), memory)
        for one in cluster.partitions
    ]


def _nodes(cluster: Cluster, ours: dict[str, Job]) -> list[NodeView]:
    """All of them; on a large cluster those with our jobs and those that need a person first."""
    on: dict[str, list[Load]] = {}
    for load in cluster.jobs:
        for name in load.nodes:
            on.setdefault(name, []).append(load)
    views = [_node(node, use(on.get(node.name, ()), ours)) for node in cluster.nodes]
    if len(views) > MOST_NODES:
        views.sort(key=lambda view: (not view.use.ours, _BY_NEED[view.node.kind]))
    return views


def _node(node: Node, used: Use) -> NodeView:
    left = sum(load.gpus // max(1, len(load.nodes)) for _, load in used.ours)
    places = []
    for gpus in node.gpus:
        mine = min(left, gpus.busy)
        left -= mine
        words = chain(
            ["ours"] * mine,
            ["theirs"] * (gpus.busy - mine),
            ["free"] * gpus.free,
            ["out"] * gpus.out,
        )
        places.append((gpus.type, tuple(words)))
    return NodeView(node, used, tuple(places), node.memory / 1024, node.memory_busy / 1024)
