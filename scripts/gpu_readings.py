"""Writes how the GPUs of a run and their machine are doing, for a dashboard on another machine.

    python -I -S scripts/gpu_readings.py ATTEMPT_DIR TRAINER_PID [SECONDS]

Started by run_job.py under Slurm; ends with the trainer. A line of JSON every five seconds (or SECONDS)
goes to ATTEMPT_DIR/gpu.jsonl; a full file becomes gpu.jsonl.1, so that both together stay below half a MB.
``peak`` is the most memory that was in use so far. Memory in bytes, power in watts, use in percent.
Without a driver or nvidia-smi there are only the processor and the memory. Standard library only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False  # importing typing would cost 3 ms at every start
if TYPE_CHECKING:
    from typing import Any

FIRST, EVERY = 1.0, 5.0
LOOK = 0.2  # seconds between two looks for the trainer where the kernel cannot wake us
PATIENCE = 10.0  # seconds for nvidia-smi, which hangs with a lost card
PAUSE = 60.0  # seconds without asking it after it hung
FULL = 200_000
MIB = 1 << 20
FIELDS = (
    "index",
    "name",
    "memory.total",
    "memory.used",
    "utilization.gpu",
    "temperature.gpu",
    "power.draw",
)
KEYS = ("index", "name", "memory_total", "memory_used", "utilisation", "temperature", "power")


def number(text: str, times: int = 1) -> float | None:
    """None where the card does not tell: [N/A], [Not Supported], [GPU is lost]."""
    try:
        value = float(text) * times
    except ValueError:
        return None
    return int(value) if value == int(value) else value


def gpus() -> list[dict[str, Any]]:
    """The GPUs of this run. OSError: there is no nvidia-smi. TimeoutExpired: it hangs."""
    # Slurm sets it for each job, numbered as the job sees them.
    ours = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    command = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    done = subprocess.run(
        [*command, f"--id={ours}"] if ours else command,
        capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False,
    )  # fmt: skip
    found = []
    for line in done.stdout.splitlines():
        words = [word.strip() for word in line.split(",")]
        if len(words) == len(KEYS) and words[0].isdigit():
            row: dict[str, Any] = {"index": int(words[0]), "name": words[1]}
            for at, key in enumerate(KEYS[2:], 2):
                row[key] = number(words[at], MIB if key.startswith("memory") else 1)
            found.append(row)
    return found


def ticks() -> tuple[int, int]:
    """Busy and all ticks of the processors since the start of this machine."""
    with open("/proc/stat", encoding="ascii") as file:
        row = [int(word) for word in file.readline().split()[1:9]]
    return sum(row) - row[3] - row[4], sum(row)


def memory() -> tuple[int, int]:
    """Bytes in use and in all."""
    with open("/proc/meminfo", encoding="ascii") as file:
        rows = {words[0]: int(words[1]) * 1024 for line in file if (words := line.split())}
    total = rows["MemTotal:"]
    return total - rows.get("MemAvailable:", 0), total


class Readings:
    """What is written, one line after the other."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/gpu.jsonl"
        self.before = ticks()
        self.peak = 0
        self.ask_again = 0.0

    def write(self) -> None:
        """Add a line. A full disk or a lost folder costs this line, and not the training."""
        (busy_before, whole_before), self.before = self.before, ticks()
        busy, whole = self.before[0] - busy_before, self.before[1] - whole_before
        used, total = memory()
        row: dict[str, Any] = {"at": round(time.time(), 1), "node": node(), "gpus": self.gpus()}
        row["cpu"] = round(100 * busy / whole) if whole else 0
        row["cpus"] = os.cpu_count()
        row.update(memory_used=used, memory_total=total, peak=self.peak)
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(row, separators=(",", ":")) + "\n")
                full = file.tell() > FULL
            if full:
                os.replace(self.path, f"{self.path}.1")
        except OSError:
            return

    def gpus(self) -> list[dict[str, Any]]:
        """The GPUs where they answer; asked again later, or never, where they do not."""
        if time.monotonic() < self.ask_again:
            return []
        try:
            found = gpus()
        except OSError:
            self.ask_again = float("inf")
            return []
        except subprocess.TimeoutExpired:
            self.ask_again = time.monotonic() + PAUSE
            return []
        self.peak = max([self.peak, *(row["memory_used"] or 0 for row in found)])
        return found


def node() -> str:
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


class Trainer:
    """The process whose end is ours."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.parent = os.getppid()
        try:
            self.fd = os.pidfd_open(pid)
        except OSError:
            self.fd = -1  # an old kernel, or it has ended already

    def ends_within(self, seconds: float) -> bool:
        """Wait so long; True if it ended, or if the runner that started us is gone."""
        if self.fd >= 0:
            return bool(select.select([self.fd], [], [], seconds)[0]) or self.is_gone()
        end = time.monotonic() + seconds
        while not self.is_gone() and (left := end - time.monotonic()) > 0:
            time.sleep(min(LOOK, left))
        return self.is_gone()

    def is_gone(self) -> bool:
        return self.has_ended() or os.getppid() != self.parent

    def has_ended(self) -> bool:
        try:
            with open(f"/proc/{self.pid}/stat", encoding="utf-8", errors="replace") as file:
                ended = file.read().rpartition(")")[2].split()[0] in "ZX"
        except (OSError, IndexError):
            return True
        return ended


def launch_of(folder: str) -> dict[str, Any]:
    """What the runner wrote about itself; empty where it cannot be read."""
    try:
        with open(f"{folder}/launch.json", encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError):
        return {}


def end_family(folder: str) -> None:
    """The runner was killed, so nobody else ends what it started: every process of its attempt."""
    marker = launch_of(folder).get("marker")
    if not marker:
        return
    marked = f"VAST_LORA_ATTEMPT={marker}".encode()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and sum(kill_if(int(n), marked) for n in numbers()):
        time.sleep(LOOK)


def numbers() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def kill_if(pid: int, marked: bytes) -> bool:
    """Kill a process that has these words in its environment; True if it had."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if marked not in file.read().split(b"\0"):
                return False
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def main(folder: str, pid: int, every: float = EVERY) -> int:
    """Write until the trainer ends."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(one, signal.SIG_IGN)  # a stop is for the trainer; we see its end
    trainer, readings = Trainer(pid), Readings(folder)
    # The runner may have been killed before we could look who our parent is.
    trainer.parent = (launch_of(folder).get("runner") or {}).get("pid", trainer.parent)
    pause = min(FIRST, every)
    while not trainer.ends_within(pause):
        readings.write()
        pause = every
    if os.getppid() != trainer.parent:  # also where the trainer has ended: it may leave children
        end_family(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:4])))
