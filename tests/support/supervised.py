"""Rounds of the supervisor over a fake executor, and the end of a run as the runner writes it."""

from __future__ import annotations

import json
import struct
import time

from app.jobs import service, store
from app.jobs.executor import Ended
from app.jobs.rundir import ExitRecord
from app.jobs.states import JobState as S
from app.platform import current
from tests.support.wait import until


def tick_until(condition, what):
    supervisor = current().supervisor

    def look():
        supervisor.tick()
        # What a round leaves to threads is mostly done at once; one that hangs is part of some tests.
        for thread in filter(None, supervisor.tasks):
            thread.join(timeout=0.05)
        return condition()

    until(look, timeout=20, what=what)


def running(document):
    job = service.submit(document)
    tick_until(lambda: store.get(job.id).status is S.RUNNING, "running")
    return store.get(job.id)


def end(job, *, code=0, signal=None, lora=True, nan=False):
    folder = service.run_dir(job).attempt(job.attempt)
    if lora:
        write_lora(service.run_dir(job).output / "dog.safetensors", nan=nan)
    now = time.time()
    record = ExitRecord(code=None if signal else code, signal=signal, started=now - 60, ended=now)
    current().executor.status[folder.root] = Ended(record)
    tick_until(lambda: store.get(job.id).status.is_final, "final")
    return store.get(job.id)


def write_lora(path, nan=False):
    value = float("nan") if nan else 0.5
    names = ("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight")
    header, data = {}, b""
    for name, shape in zip(names, ([4, 8], [8, 4]), strict=True):
        block = struct.pack("<32f", *[value] * 32)
        header[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + 128],
        }
        data += block
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
