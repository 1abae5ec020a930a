"""The machines of a Slurm cluster, read from one ``sinfo`` and one ``squeue``, in plain words.

Nothing here runs a command: ``SINFO`` and ``SQUEUE`` say what to ask, ``read`` what the answers
mean. Columns of a fixed width, because reasons and names may hold any separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

_COLUMNS = (
    ("NodeList", 64), ("Partition", 64), ("Available", 12), ("Time", 16), ("StateComplete", 80),
    ("CPUsState", 32), ("Memory", 16), ("AllocMem", 16), ("Gres", 200),
    ("GresUsed", 240), ("User", 32), ("Timestamp", 24), ("Reason", 200),
)  # fmt: skip
SINFO = ("sinfo", "-a", "-h", "-N", "-O", ",".join(f"{name}:{width}" for name, width in _COLUMNS))
"""A row for each node in each of its partitions."""
SQUEUE = ("squeue", "-a", "-h", "-o", "%i|%T|%P|%u|%b|%N|%D|%r|%V|%S|%j")
"""A row for each job; its name last, for it may hold the separator.

Neither asks for what changes while nothing happens (load, time used), so that equal answers mean
that there is nothing new to show.
"""

Kind = Literal["free", "busy", "leaving", "out", "down"]
"""Takes jobs; takes jobs and has some; has some and takes no more; takes none; does not work."""

_GRES = re.compile(r"(?:^|,)gpu:(?:([^:,(]+):)?(\d+)(?![\w.])")
_ASKED = re.compile(r"gres[:/]gpu(?:[:/]([^:,=]+))?[:=](\d+)")
_WORKING = {"allocated", "mixed", "completing"}
_DRAINED = {"drain", "drained", "draining", "drng", "invalid_reg", "inval"}
_DOWN = {"down", "error", "fail", "failing", "unknown", "future", "powering_down"}


@dataclass(frozen=True)
class Gpus:
    """The GPUs of one type: ``busy`` have a job, ``out`` have none and can get none."""

    type: str
    total: int
    busy: int
    out: int = 0

    @property
    def free(self) -> int:
        return max(0, self.total - self.busy - self.out)


@dataclass(frozen=True)
class Node:
    """One machine. Memory in MB; ``since`` and ``reason`` where somebody or something took it out."""

    name: str
    state: str
    """As Slurm writes it, such as ``allocated+drain``."""
    cpus: int
    cpus_busy: int
    memory: int
    memory_busy: int
    gpus: tuple[Gpus, ...]
    partitions: tuple[str, ...]
    reason: str = ""
    by: str = ""
    since: datetime | None = None

    @property
    def flags(self) -> frozenset[str]:
        return frozenset(re.split(r"[+*~#!%$@^-]", self.state.lower())) - {""}

    @property
    def kind(self) -> Kind:
        flags = self.flags
        works = bool(flags & _WORKING)
        if flags & {"not_responding", "down"} or (flags & _DOWN and not works):
            return "down"
        if flags & _DRAINED:
            return "leaving" if works else "out"
        if flags & {"reserved", "maintenance", "maint", "blocked"} and not works:
            return "out"
        return "busy" if works else "free"

    @property
    def words(self) -> str:
        """Its state in words that need no manual of Slurm."""
        flags, kind = self.flags, self.kind
        if "powering_down" in flags:
            return "is being switched off to save power"
        if "powered_down" in flags and kind == "free":
            return "switched off to save power, starts for a job"
        if "not_responding" in flags:
            return "down: does not answer"
        if flags & {"invalid_reg", "inval"}:
            return "drained: it has less than slurm.conf says"
        if kind == "out" and not flags & _DRAINED:
            return "reserved"
        if kind == "free" and "planned" in flags:
            return "idle, kept for a waiting job"
        said = {"free": "idle", "leaving": "busy, then drained", "out": "drained", "down": "down"}
        return said.get(kind, "busy")


@dataclass(frozen=True)
class Partition:
    """A queue of the cluster and what it can give. ``limit`` is its longest run, as Slurm writes it."""

    name: str
    default: bool
    available: str
    limit: str
    nodes: tuple[Node, ...]

    @property
    def is_up(self) -> bool:
        return self.available == "up"

    @property
    def gpus(self) -> tuple[Gpus, ...]:
        """By type, all its nodes together; while it is not up, nothing in it is free."""
        found = add_up(gpus for node in self.nodes for gpus in node.gpus)
        if self.is_up:
            return found
        return tuple(Gpus(g.type, g.total, g.busy, g.total - g.busy) for g in found)


@dataclass(frozen=True)
class Load:
    """A job in Slurm's queue, ours or somebody's. ``gpus`` is what it asked for on all its nodes.

    ``since``: it runs, or waits, since then.
    """

    number: str
    state: str
    partition: str
    user: str
    gpus: int
    nodes: tuple[str, ...]
    reason: str
    since: datetime | None
    name: str

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"


@dataclass(frozen=True)
class Cluster:
    """Everything at one moment."""

    nodes: tuple[Node, ...] = ()
    partitions: tuple[Partition, ...] = ()
    jobs: tuple[Load, ...] = ()

    @property
    def gpus(self) -> tuple[Gpus, ...]:
        """By type, each GPU once, however many partitions it is in."""
        return add_up(gpus for node in self.nodes for gpus in node.gpus)

    def partition(self, name: str) -> Partition | None:
        """The one of that name; without a name Slurm's default."""
        wanted = (p for p in self.partitions if (p.name == name if name else p.default))
        return next(wanted, None)


def add_up(found: Iterable[Gpus]) -> tuple[Gpus, ...]:
    """One entry for each type, by name."""
    sums: dict[str, list[int]] = {}
    for gpus in found:
        row = sums.setdefault(gpus.type, [0, 0, 0])
        for at, value in enumerate((gpus.total, gpus.busy, gpus.out)):
            row[at] += value
    return tuple(Gpus(kind, *sums[kind]) for kind in sorted(sums))


def read(sinfo: str, squeue: str) -> Cluster:
    """What both answers say. A row that cannot be understood is left out."""
    rows = [row for line in sinfo.splitlines() if (row := _columns(line))["NodeList"]]
    places: dict[str, list[str]] = {}
    for row in rows:
        places.setdefault(row["NodeList"], []).append(row["Partition"].rstrip("*"))
    nodes = {row["NodeList"]: _node(row, places[row["NodeList"]]) for row in rows}
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["Partition"], []).append(row)
    partitions = [
        Partition(name.rstrip("*"), name.endswith("*"), members[0]["Available"], members[0]["Time"],
                  tuple(nodes[row["NodeList"]] for row in members))
        for name, members in groups.items()
    ]  # fmt: skip
    return Cluster(
        tuple(nodes[name] for name in sorted(nodes, key=_in_order)),
        tuple(sorted(partitions, key=lambda p: (not p.default, p.name))),
        tuple(_loads(squeue)),
    )


def _columns(line: str) -> dict[str, str]:
    # Slurm counts bytes, so a name with an accent would shift the rest.
    left, row = line.encode("utf-8", "replace"), {}
    for name, width in _COLUMNS:
        row[name] = left[:width].decode("utf-8", "replace").strip()
        left = left[width:]
    return row


def _node(row: dict[str, str], partitions: list[str]) -> Node:
    busy = dict(_counted(row["GresUsed"]))
    cpus = [int(word) for word in row["CPUsState"].split("/") if word.isdigit()] or [0]
    bare = Node(
        name=row["NodeList"],
        state=row["StateComplete"],
        cpus=cpus[-1],
        cpus_busy=cpus[0] if len(cpus) > 1 else 0,
        memory=_whole(row["Memory"]),
        memory_busy=_whole(row["AllocMem"]),
        gpus=(),
        partitions=tuple(sorted(set(partitions))),
        reason="" if row["Reason"] == "none" else row["Reason"],
        by="" if row["User"] == "Unknown" else row["User"],
        since=_moment(row["Timestamp"]),
    )
    closed = bare.kind not in ("free", "busy")
    gpus = (
        Gpus(kind, total, used, total - used if closed else 0)
        for kind, total in _counted(row["Gres"])
        for used in (min(total, busy.get(kind, 0)),)
    )
    return Node(**{**bare.__dict__, "gpus": add_up(gpus)})


def _counted(gres: str) -> Iterator[tuple[str, int]]:
    """(type, how many) of the GPUs in a text such as ``gpu:a100:4(S:0-1),nic:1``."""
    return ((kind or "", int(count)) for kind, count in _GRES.findall(gres))


def _loads(squeue: str) -> Iterator[Load]:
    for line in squeue.splitlines():
        words = line.split("|", 10)
        if len(words) < 11:
            continue
        number, state, partition, user, asked, nodes, count, reason, sent, began, name = words
        each = sum(int(many) for _, many in _ASKED.findall(asked))
        since = _moment(sent if state == "PENDING" else began)
        yield Load(
            number, state, partition, user, each * max(1, _whole(count)), tuple(expand(nodes)),
            "" if reason == "None" else reason, since, name,
        )  # fmt: skip


def expand(hosts: str) -> list[str]:
    """The names that n1,n[2-3,07] stands for."""
    names: list[str] = []
    for part in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", hosts):
        found = re.fullmatch(r"([^\[]*)\[([\d,-]+)\](.*)", part)
        if not found:
            names.append(part)
            continue
        head, inside, tail = found.groups()
        tails = expand(tail) or [""]
        for piece in inside.split(","):
            first, _, last = piece.partition("-")
            numbers = range(int(first), int(last or first) + 1)
            names += [f"{head}{n:0{len(first)}d}{rest}" for n in numbers for rest in tails]
    return names


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _moment(text: str) -> datetime | None:
    """Seconds since 1970, as ``commands`` asks for; else a time of the machine that asks."""
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC) if int(text) else None
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _in_order(name: str) -> list[tuple[int, str]]:
    """n2 before n10."""
    return [(int(word) if word.isdigit() else 0, word) for word in re.split(r"(\d+)", name)]
