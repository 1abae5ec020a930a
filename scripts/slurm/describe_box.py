#!/usr/bin/env python3
"""Prints the line of this box for write_config.py: name, address, processors, memory, GPUs.

    ssh BOX python3 - < scripts/slurm/describe_box.py >> boxes.txt

Takes the address that the other boxes reach it at as its only argument, where the one it finds is
not right. Standard library only, Python 3.8 or newer, so that it runs on any box as it is.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

TOPOLOGY = (("cpus", "CPUs"), ("sockets", "SocketsPerBoard"), ("cores", "CoresPerSocket"),
            ("threads", "ThreadsPerCore"))  # fmt: skip


def describe(address: str) -> str:
    """The line of the machine that this runs on."""
    name = socket.gethostname().partition(".")[0]
    words = [name, f"address={address or own_address()}"]
    topology = asked_of_slurmd()
    allowed = usable_cpus()
    if topology and topology["cpus"] <= allowed:
        words += [f"{key}={number}" for key, number in topology.items()]
    else:  # no slurmd yet, or a container that may use only a part of the host
        words.append(f"cpus={allowed}")
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    words.append(f"memory={min(pages, container_memory()) // 2**20}")
    return " ".join(words + gpus_here())


def asked_of_slurmd() -> dict[str, int]:
    """What ``slurmd -C`` tells; empty where Slurm is not installed."""
    text = answer_of("slurmd", "-C")
    found = {key: re.search(rf"\b{name}=(\d+)", text) for key, name in TOPOLOGY}
    return {key: int(match.group(1)) for key, match in found.items() if match}


def usable_cpus() -> int:
    """Processors by affinity and by the container's quota: what a host shows says nothing."""
    count = len(os.sched_getaffinity(0))
    quota = words_of("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        count = min(count, int(quota[0]) // int(quota[1]))
    return max(1, count)


def container_memory() -> int:
    """Bytes that this container may use; the largest number where there is no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = words_of(f"/sys/fs/cgroup/{name}")
        if words and words[0].isdigit():
            return int(words[0])
    return sys.maxsize


def gpus_here() -> list[str]:
    """``gpu=TYPE:FILES`` for each type, by nvidia-smi; none where it does not answer."""
    kinds: dict[str, list[int]] = {}
    rows = answer_of("nvidia-smi", "--query-gpu=index,name,pci.bus_id", "--format=csv,noheader")
    for row in rows.splitlines():
        index, name, bus = (part.strip() for part in row.split(","))
        # The number of the device file follows the driver, not nvidia-smi's order.
        about = f"/proc/driver/nvidia/gpus/{bus.lower()[-12:]}/information"
        minor = re.search(r"Device Minor:\s*(\d+)", " ".join(words_of(about)))
        kinds.setdefault(type_of(name), []).append(int(minor.group(1) if minor else index))
    return [f"gpu={kind}:{device_files(sorted(minors))}" for kind, minors in kinds.items()]


def type_of(name: str) -> str:
    """NVIDIA GeForce RTX 4090 → rtx4090; NVIDIA A100-SXM4-80GB → a100-80gb."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    left = [
        w for w in words if w not in ("nvidia", "geforce", "tesla", "quadro", "graphics", "device")
    ]
    kept = [w for w in left if not re.fullmatch(r"sxm\d*|pcie|nvl|hbm\d\w*|generation|", w)]
    sizes = [w for w in kept if re.fullmatch(r"\d+gb", w)]
    return "-".join(["".join(w for w in kept if w not in sizes) or "gpu", *sizes[:1]])


def device_files(minors: list[int]) -> str:
    """/dev/nvidia0, or /dev/nvidia[0-3], or /dev/nvidia[0,2]."""
    if len(minors) == 1:
        return f"/dev/nvidia{minors[0]}"
    whole = minors == list(range(minors[0], minors[-1] + 1))
    text = f"{minors[0]}-{minors[-1]}" if whole else ",".join(map(str, minors))
    return f"/dev/nvidia[{text}]"


def own_address() -> str:
    """The address that the others see: the one that a packet to the world would leave by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing: it only looks up the way
            return str(asked.getsockname()[0])
        except OSError:
            return socket.gethostbyname(socket.gethostname())


def answer_of(*command: str) -> str:
    """What a command prints; empty where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def words_of(path: str) -> list[str]:
    """The words of a file of the system; none where it is not there."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


if __name__ == "__main__":
    print(describe(sys.argv[1] if len(sys.argv) > 1 else ""))
