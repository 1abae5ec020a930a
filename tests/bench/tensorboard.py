"""TensorBoard beside us, where one is found: the same run, the same machine, the same minute.

BENCH_TENSORBOARD names its executable; it is installed outside the project.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.server import free_port
from tests.support.wait import until

EXECUTABLE = os.environ.get("BENCH_TENSORBOARD", "")
_PATIENCE_SECONDS = 120.0
_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


@dataclass(frozen=True)
class Peer:
    """Seconds from its start to its first answer and to the first data, and of one request then."""

    answers: float
    data: float
    request: float
    points: int


def write_run(folder: Path, values: np.ndarray) -> None:
    """An event file with one scalar, ``loss``, at steps 1, 2, ..."""
    folder.mkdir(parents=True)
    count = len(values)
    steps = np.arange(1, count + 1)
    fields = [
        ("wall", "S1"), ("time", "<f8"), ("step", "S1"), ("varint", "u1", 4), ("summary", "S11"),
        ("value", "<f4"),
    ]  # fmt: skip
    rows = np.zeros(count, dtype=np.dtype(fields))
    rows["wall"], rows["step"] = b"\x09", b"\x10"
    rows["time"] = 1_700_000_000.0 + steps
    for place in range(4):
        rows["varint"][:, place] = (steps >> 7 * place) & 0x7F | (0x80 if place < 3 else 0)
    # A summary with one value: its tag, then a float.
    inner = b"\x0a\x04loss\x15"
    value = b"\x0a" + bytes([len(inner) + 4]) + inner
    rows["summary"] = b"\x2a" + bytes([len(value) + 4]) + value
    rows["value"] = values
    data = rows.view("u1").reshape(count, -1)
    name = f"events.out.tfevents.1700000000.bench.{os.getpid()}.0"
    with (folder / name).open("wb") as file:
        version = b"\x1a\x0dbrain.Event:2"
        file.write(_records(np.frombuffer(version, "u1").reshape(1, -1)))
        file.write(_records(data))


def _records(data: np.ndarray) -> bytes:
    """Rows of bytes as records: length, its sum, the bytes, their sum."""
    count, size = data.shape
    length = np.frombuffer(struct.pack("<Q", size), "u1").reshape(1, 8)
    head = length.tobytes() + _sums(length).tobytes()
    whole = np.empty((count, len(head) + size + 4), "u1")
    whole[:, : len(head)] = np.frombuffer(head, "u1")
    whole[:, len(head) : -4] = data
    whole[:, -4:] = _sums(data).view("u1").reshape(count, 4)
    return whole.tobytes()


def _sums(data: np.ndarray) -> np.ndarray:
    """Masked CRC-32C of each row."""
    table = np.arange(256, dtype="u4")
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    crc = np.full(len(data), 0xFFFFFFFF, "u4")
    for column in data.T:
        crc = table[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
    crc ^= np.uint32(0xFFFFFFFF)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK_DELTA)


def measure(folder: Path, points: int) -> Peer:
    """Start it on ``folder`` and ask over its HTTP API as its page does."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/data/plugin/scalars"
    begin = time.perf_counter()
    with (folder.parent / "tensorboard.log").open("wb") as log:
        process = subprocess.Popen(
            [EXECUTABLE, "--logdir", str(folder), "--port", str(port), "--host", "127.0.0.1"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        answers = _until(f"{address}/tags", lambda told: True) - begin
        chart = f"{address}/scalars?tag=loss&run=."
        data = _until(chart, lambda told: bool(told) and told[-1][1] >= 0.99 * points) - begin
        spent = []
        for _ in range(7):
            asked = time.perf_counter()
            told = json.loads(urllib.request.urlopen(chart, timeout=60).read())
            spent.append(time.perf_counter() - asked)
        return Peer(answers, data, sorted(spent)[3], len(told))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until(address: str, holds: Callable[[Any], bool]) -> float:
    """When the answer first was what we wait for."""

    def told() -> bool:
        # Refused while it starts, 404 while it knows no such run.
        with (
            contextlib.suppress(OSError, ValueError),
            urllib.request.urlopen(address, timeout=60) as answer,
        ):
            return holds(json.loads(answer.read()))
        return False

    until(told, _PATIENCE_SECONDS, f"{address} tells something", interval=0.01)
    return time.perf_counter()
