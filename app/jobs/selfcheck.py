"""Looks at the machine while it is cheap to leave: GPU and torch, disk, memory, network, clock.

Runs in a task child: it starts interpreters, writes a file and asks the network. Each finding is a
sentence with ok, warn or fail.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from app import gpu
from app.jobs import installations, preflight
from app.settings import Settings
from app.tasks import Work
from app.vast import tunnels
from engines.registry import setting_prefix

KIND = "machine.check"
GB = 1e9
_SPEED_BYTES = 256 * 1024 * 1024
_TORCH_SECONDS = 120
_ASK_TORCH = (
    "import json, torch; cuda = torch.cuda.is_available(); print(json.dumps({"
    "'torch': torch.__version__, 'cuda': torch.version.cuda, 'seen': torch.cuda.device_count() if cuda else 0, "
    "'built': torch.cuda.get_arch_list() if cuda else [], "
    "'cards': [['sm_%d%d' % torch.cuda.get_device_capability(i), torch.cuda.get_device_name(i)] "
    "for i in range(torch.cuda.device_count() if cuda else 0)]}))"
)
Mark = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    mark: Mark
    text: str


def run(work: Work) -> dict[str, Any]:
    """In the child."""
    settings = work.settings
    looks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("GPU", _gpus), ("torch", _torch), ("disk", _disk), ("memory", _memory),
        ("network", _network), ("ports", _ports),
    )  # fmt: skip
    found: list[Finding] = []
    for number, (name, look) in enumerate(looks):
        work.progress(number, len(looks), name, unit="checks")
        try:
            found += look(settings)
        except Exception as error:  # noqa: BLE001 - one look that breaks leaves the others theirs
            found.append(Finding(name, "warn", f"It could not be looked at: {error}."))
    return {"at": time.time(), "findings": [f._asdict() for f in found]}


def _gpus(_settings: Settings) -> Iterator[Finding]:
    report = gpu.Sampler().report()
    if not report.gpus:
        mark: Mark = "fail" if report.broken else "warn"
        yield Finding(
            "GPU", mark, f"{report.problem or 'No GPU was found'}; jobs would run on the CPU."
        )
    for card in report.gpus:
        size = f"{(card.memory_total or 0) / 2**30:.0f} GB"
        if card.usable:
            yield Finding(f"GPU {card.index}", "ok", f"{card.name}, {size}.")
        else:
            yield Finding(
                f"GPU {card.index}", "fail", f"{card.name} has fallen off the bus. Rent another."
            )


def _torch(settings: Settings) -> Iterator[Finding]:
    for found in installations.find_all(settings):
        if not found.installed:
            yield Finding(found.name, "warn", "It is not installed; the Engines page does that.")
            continue
        try:
            done = subprocess.run(
                [found.python, "-c", _ASK_TORCH], capture_output=True, text=True,
                stdin=subprocess.DEVNULL, timeout=_TORCH_SECONDS, check=False,
            )  # fmt: skip
            told = json.loads(done.stdout.strip().splitlines()[-1])
        except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
            setting = f"{setting_prefix(found.name)}_PYTHON"
            advice = f"install the engine anew, or point {setting} at one that can"
            yield Finding(found.name, "fail", f"{found.python} cannot import torch: {advice}.")
            continue
        yield judge_torch(found.name, told, bool(gpu.Sampler().report().gpus))


def judge_torch(name: str, told: dict[str, Any], has_gpu: bool) -> Finding:
    """Whether this torch was built for these cards: sm_90 code runs on sm_9x, PTX on newer ones."""
    version = f"torch {told['torch']} with CUDA {told['cuda'] or 'none'}"
    if not has_gpu:
        return Finding(name, "ok", f"{version}; there is no GPU to compare it with.")
    if not told["seen"]:
        return Finding(
            name, "fail",
            f"{version} sees no GPU though the driver does: the driver is too old for it, or it is a CPU build.",
        )  # fmt: skip
    for arch, card in told["cards"]:
        if not _runs(arch, told["built"]):
            return Finding(
                name, "fail",
                f"{version} was not built for {card} ({arch}); it knows {', '.join(told['built'])}. "
                "Install one for CUDA 12.8 or later, or rent another card.",
            )  # fmt: skip
    return Finding(
        name, "ok", f"{version} was built for {', '.join(sorted({c for _, c in told['cards']}))}."
    )


def _runs(arch: str, built: list[str]) -> bool:
    """Binary code runs on the same major version from its minor on; PTX (compute_) on all later."""
    number = int(arch.removeprefix("sm_"))
    for one in built:
        kind, _, text = one.partition("_")
        digits = "".join(c for c in text if c.isdigit())
        if not digits:
            continue
        if kind == "compute" and int(digits) <= number:
            return True
        if kind == "sm" and int(digits) // 10 == number // 10 and int(digits) <= number:
            return True
    return False


def _disk(settings: Settings) -> Iterator[Finding]:
    usage = shutil.disk_usage(settings.data_dir)
    free = usage.free / GB
    mark: Mark = "ok" if free >= 60 else "warn" if free >= settings.disk_soft_gb else "fail"
    hint = (
        ""
        if mark == "ok"
        else " FLUX alone takes 34 GB, and the size of a Vast disk never changes."
    )
    yield Finding(
        "disk",
        mark,
        f"{free:.0f} GB of {usage.total / GB:.0f} GB are free in {settings.data_dir}.{hint}",
    )
    if usage.free < 2 * _SPEED_BYTES:
        return
    speed = write_speed(settings.data_dir)
    yield Finding(
        "disk speed", "ok" if speed >= 200e6 else "warn",
        f"It writes {speed / 1e6:.0f} MB a second."
        + ("" if speed >= 200e6 else " Checkpoints and cached latents will take their time."),
    )  # fmt: skip


def write_speed(folder: Path) -> float:
    """Bytes a second of a file written and synced; the file is gone afterwards."""
    path, block = folder / ".disk-speed", os.urandom(4 * 1024 * 1024)
    try:
        begun = time.monotonic()
        with path.open("wb") as file:
            for _ in range(_SPEED_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return _SPEED_BYTES / max(1e-6, time.monotonic() - begun)
    finally:
        path.unlink(missing_ok=True)


def _memory(_settings: Settings) -> Iterator[Finding]:
    limit = preflight.memory_limit_gb()
    if limit:
        yield Finding(
            "memory",
            "ok" if limit >= 24 else "warn",
            f"{limit:.0f} GB of main memory are ours.",
        )
    try:
        shared = shutil.disk_usage("/dev/shm").total / GB
        few = shared < 1
        yield Finding("shared memory", "warn" if few else "ok", f"/dev/shm holds {shared:.1f} GB."
                      + (" Data loaders with several workers may die of it." if few else ""))  # fmt: skip
    except OSError:
        yield Finding("shared memory", "warn", "There is no /dev/shm; data loaders need it.")
    most = _first(("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"))
    if most.isdigit():
        mark: Mark = "warn" if int(most) < 2048 else "ok"
        yield Finding("processes", mark, f"At most {most} processes and threads may run.")
    cores = len(os.sched_getaffinity(0))
    few = cores < 4
    yield Finding("processor", "warn" if few else "ok", f"{cores} cores of {os.cpu_count()} are ours."
                  + (" With fewer than 4 the GPU may wait for its pictures." if few else ""))  # fmt: skip


def _first(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return Path(name).read_text("ascii").strip()
        except OSError:
            continue  # this machine keeps it in another place
    return ""


def _network(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.hf_endpoint)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=10)
    try:
        begun = time.monotonic()
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        took = time.monotonic() - begun
    except (OSError, http.client.HTTPException) as error:
        yield Finding(
            "network",
            "fail",
            f"{parts.hostname} cannot be reached ({error}): models cannot be downloaded. Look at the "
            "firewall and at HTTPS_PROXY, or bring models as files.",
        )
        return
    finally:
        connection.close()
    yield Finding(
        "network",
        "ok" if took < 2 else "warn",
        f"{parts.hostname} answers in {took * 1000:.0f} ms.",
    )
    there = (
        email.utils.parsedate_to_datetime(answer.getheader("Date") or "")
        if answer.getheader("Date")
        else None
    )
    if there is not None:
        yield judge_clock(time.time() - there.timestamp())


def judge_clock(skew: float) -> Finding:
    """A clock that is minutes off breaks TLS and tokens."""
    if abs(skew) < 60:
        return Finding("clock", "ok", "The clock is right.")
    return Finding("clock", "warn" if abs(skew) < 300 else "fail", f"The clock is {abs(skew):.0f} s "
                   f"{'ahead' if skew > 0 else 'behind'}; certificates and uploads may be refused.")  # fmt: skip


def _ports(settings: Settings) -> Iterator[Finding]:
    tunnel = tunnels.address(settings.tunnel_manager)
    if not settings.container_id:
        yield Finding("address", "ok", f"It listens on {settings.host}:{settings.port}.")
    elif settings.public_address:
        also = f", and through the tunnel {tunnel}" if tunnel else ""
        yield Finding("address", "ok", f"From outside: {settings.public_address}{also}.")
    elif tunnel:
        yield Finding("address", "ok", f"From outside: {tunnel}.")
    else:
        yield Finding(
            "address", "warn", "Vast opened no port for 7860. Use the tunnel of its portal, or SSH."
        )
