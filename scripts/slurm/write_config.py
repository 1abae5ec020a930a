#!/usr/bin/env python3
"""Writes slurm.conf, gres.conf and cgroup.conf for a few boxes with GPUs, and what to do next.

    ssh BOX python3 - < scripts/slurm/describe_box.py >> boxes.txt      for each box
    python3 scripts/slurm/write_config.py boxes.txt --out slurm-conf

A line of boxes.txt is one box; the first is also the controller. It can be written by hand:

    gpu1 address=10.0.0.1 cpus=32 memory=128000 gpu=rtx4090:/dev/nvidia[0-1]
    gpu2 address=10.0.0.2 cpus=64 memory=256000 gpu=a100:4 gpu=rtx4090:1

A count instead of device files means /dev/nvidia0 and so on, in the order of the line; memory is
in MB. Standard library only, Python 3.8 or newer.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

KEPT_FOR_THE_SYSTEM = 0.05  # of the memory: a box that reports less than slurm.conf says is drained
NUMBERS = ("cpus", "sockets", "cores", "threads", "memory", "port")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_GPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(:[1-9]\d*|:/[^\s=,]+(\[[\d,-]+\])?)?")


class Mistake(Exception):  # noqa: N818
    """A line or an option that makes no sense; the sentence says which and what would be right."""


@dataclass
class Box:
    """One machine: cpus as Slurm counts them, memory in MB, GPUs as (type, device files)."""

    name: str
    address: str
    numbers: dict[str, int]
    gpus: list[tuple[str, str]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many GPUs there are of each type."""
        found: dict[str, int] = {}
        for kind, files in self.gpus:
            found[kind] = found.get(kind, 0) + count_of(files)
        return found


def count_of(files: str) -> int:
    """How many names a pattern such as /dev/nvidia[0-1,4] stands for."""
    inside = re.search(r"\[([0-9,-]+)\]", files)
    if not inside:
        return 1
    ends = [part.partition("-") for part in inside.group(1).split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def read_boxes(text: str) -> list[Box]:
    """Every line that is neither empty nor a comment. Raises Mistake."""
    boxes = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            boxes.append(read_box(words))
        except (ValueError, Mistake) as error:
            raise Mistake(f"Line {number}: {error}") from None
    names = [box.name for box in boxes]
    if not boxes:
        raise Mistake("There is no box in it. Run describe_box.py on each one.")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise Mistake(f"{', '.join(doubled)} is there twice; each box needs a name of its own.")
    return boxes


def read_box(words: list[str]) -> Box:
    """One line in words."""
    if not _NAME.fullmatch(words[0]):
        raise Mistake(f"{words[0]!r} is no host name; a line begins with one.")
    box, used = Box(words[0], "", {}), 0
    for word in words[1:]:
        key, _, value = word.partition("=")
        if key == "address":
            box.address = value
        elif key in NUMBERS and value.isdigit() and int(value):
            box.numbers[key] = int(value)
        elif key == "gpu" and _GPU.fullmatch(value):
            kind, _, files = value.partition(":")
            if not files.startswith("/"):
                many = int(files or "1")
                last = used + many - 1
                files = f"/dev/nvidia{used}" if many == 1 else f"/dev/nvidia[{used}-{last}]"
                used += many
            box.gpus.append((kind, files))
        else:
            raise Mistake(
                f"{word!r} is not understood; use address=, gpu=TYPE:COUNT and {'=, '.join(NUMBERS)}=."
            )
    for needed in ("cpus", "memory"):
        if needed not in box.numbers:
            raise Mistake(f"{box.name} has no {needed}=; run describe_box.py on it.")
    return box


SLURM_CONF = """\
# Written by write_config.py: the same file on every box, as /etc/slurm/slurm.conf.
ClusterName={cluster}
SlurmctldHost={controller}
SlurmUser={user}
AuthType=auth/munge
{socket}StateSaveLocation={root}/var/lib/slurm/slurmctld
SlurmdSpoolDir={root}/var/lib/slurm/slurmd.%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/var/log/slurm/slurmctld.log
SlurmdLogFile={root}/var/log/slurm/slurmd.%n.log
{ports}
# A job gets the processors, the memory and the GPUs that it asked for, and no others.
{confinement}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerType=sched/backfill
MailProg=/bin/true

# The dashboard decides about a further attempt; Slurm never starts a job again by itself.
JobRequeue=0
# An ended job is remembered for an hour, so that the dashboard hears of it after being down.
MinJobAge=3600
# Between SIGTERM and SIGKILL: time for a training to end.
KillWait=60
# A box that does not answer for so long is down, and its jobs with it. One that comes back serves again.
SlurmdTimeout=120
SlurmctldTimeout=60
ReturnToService=2

{nodes}

# All boxes for whoever does not mind which GPU; one partition for each type of GPU.
{partitions}
"""
CONFINED = "ProctrackType=proctrack/cgroup\nTaskPlugin=task/affinity,task/cgroup"
UNCONFINED = "ProctrackType=proctrack/linuxproc"
CGROUP_CONF = """\
# Written by write_config.py: the same file on every box, as /etc/slurm/cgroup.conf.
ConstrainCores=yes
ConstrainRAMSpace=yes
# A job sees the GPUs that it was given, and no others.
ConstrainDevices=yes
"""
NEXT = """\
Run by write_config.py for {count}. As root, on every box:

  apt-get install -y munge slurm-wlm
  install -d -o {user} {root}/var/lib/slurm/slurmctld {root}/var/log/slurm
  install -d {root}/var/lib/slurm {root}/run
  cp slurm.conf gres.conf cgroup.conf /etc/slurm/

The names of the boxes must lead to their addresses everywhere. Where no DNS does that, in /etc/hosts:

{hosts}

One munge key for all, made once on {first} and copied to the others by a safe way:

  dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024
  chown munge: /etc/munge/munge.key && chmod 400 /etc/munge/munge.key

Clocks must agree within five minutes. Then:

  systemctl restart munge            on every box
  systemctl restart slurmctld        on {first}
  systemctl restart slurmd           on every box
  sinfo                              shows each box as idle

Without systemd: munged; slurmctld on {first}; slurmd on every box.
"""


def node_line(box: Box) -> str:
    """The box as slurm.conf names it."""
    names = {"cpus": "CPUs", "sockets": "SocketsPerBoard", "cores": "CoresPerSocket",
             "threads": "ThreadsPerCore", "port": "Port"}  # fmt: skip
    words = [f"NodeName={box.name}"] + ([f"NodeAddr={box.address}"] if box.address else [])
    words += [f"{names[key]}={value}" for key, value in box.numbers.items() if key in names]
    words.append(f"RealMemory={int(box.numbers['memory'] * (1 - KEPT_FOR_THE_SYSTEM))}")
    if box.gpus:
        gpus = ",".join(f"gpu:{kind}:{count}" for kind, count in box.counts.items())
        words.append(f"Gres={gpus}")
    return " ".join([*words, "State=UNKNOWN"])


def partition_lines(boxes: list[Box], days: int) -> list[str]:
    """One for all boxes, and one for each type of GPU where there are several."""
    kinds = sorted({kind for box in boxes for kind in box.counts})
    groups = [("all", boxes)]
    if len(kinds) > 1:
        groups += [(kind, [box for box in boxes if kind in box.counts]) for kind in kinds]
    return [
        f"PartitionName={name} Nodes={','.join(box.name for box in members)} "
        f"Default={'YES' if name == 'all' else 'NO'} MaxTime={days}-00:00:00 "
        f"DefaultTime={days}-00:00:00 State=UP{shares(members)}"
        for name, members in groups
    ]


def shares(boxes: list[Box]) -> str:
    """Processors and memory that go with one GPU, so that no job takes a whole box by default."""
    with_gpus = [box for box in boxes if box.gpus]
    if not with_gpus:
        return ""
    cpus = min(box.numbers["cpus"] // sum(box.counts.values()) for box in with_gpus)
    memory = min(
        int(box.numbers["memory"] * (1 - KEPT_FOR_THE_SYSTEM)) // sum(box.counts.values())
        for box in with_gpus
    )
    return f" DefCpuPerGPU={max(1, cpus)} DefMemPerGPU={memory}"


def files(boxes: list[Box], options: argparse.Namespace) -> dict[str, str]:
    """Every file by its name."""
    first, root = boxes[0], options.root.rstrip("/")
    port = options.port
    socket = f"AuthInfo=socket={options.munge_socket}\n" if options.munge_socket else ""
    slurm = SLURM_CONF.format(
        cluster=options.cluster, user=options.user, root=root, socket=socket,
        controller=f"{first.name}({first.address})" if first.address else first.name,
        ports=f"SlurmctldPort={port}\nSlurmdPort={port + 1}\n",
        confinement=UNCONFINED if options.no_cgroups else CONFINED,
        nodes="\n".join(node_line(box) for box in boxes),
        partitions="\n".join(partition_lines(boxes, options.days)),
    )  # fmt: skip
    gres = [
        f"NodeName={box.name} Name=gpu Type={kind} File={path}"
        for box in boxes
        for kind, path in box.gpus
    ]
    hosts = "\n".join(f"  {box.address}  {box.name}" for box in boxes if box.address)
    count = "one box" if len(boxes) == 1 else f"{len(boxes)} boxes"
    return {
        "slurm.conf": slurm,
        "gres.conf": "\n".join(
            ["# The same file on every box, as /etc/slurm/gres.conf.", *gres, ""]
        ),
        "cgroup.conf": "" if options.no_cgroups else CGROUP_CONF,
        "NEXT-STEPS.txt": NEXT.format(
            root=root, user=options.user, first=first.name, hosts=hosts, count=count
        ),
    }


def main(arguments: list[str]) -> int:
    """Read the boxes, write the files, say where. 2 where something makes no sense."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("boxes", type=Path, help="boxes.txt, a line for each box")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--cluster", default="lora", help="its name")
    parser.add_argument("--days", type=int, default=7, help="longest run of a job")
    parser.add_argument("--user", default="slurm", help="whom slurmctld runs as")
    parser.add_argument("--root", default="", help="put before every path of Slurm's own files")
    parser.add_argument(
        "--port", type=int, default=6817, help="of the controller; slurmd has the next"
    )
    parser.add_argument("--munge-socket", default="", help="where munged listens, if not as usual")
    parser.add_argument(
        "--no-cgroups", action="store_true", help="for containers that may not use them"
    )
    options = parser.parse_args(arguments)
    try:
        boxes = read_boxes(options.boxes.read_text(encoding="utf-8"))
    except (OSError, Mistake) as error:
        print(f"{options.boxes}: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in files(boxes, options).items():
        (options.out / name).write_text(text, encoding="utf-8")
    print(f"Wrote {', '.join(files(boxes, options))} in {options.out}. Go on with NEXT-STEPS.txt.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
