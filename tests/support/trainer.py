"""Stands in for a trainer: draws the engines' bars, writes their files, misbehaves on demand.

    python tests/support/trainer.py --engine kohya_ss --steps 12 --step-seconds 0.05 \\
        --output DIR --name ohwx --write-lora --children 2 --ignore SIGINT,SIGTERM --exit-code 3

Standard library only, so that any interpreter runs it. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

BLOCKS = " ▏▎▍▌▋▊▉█"
CHILD = "import signal,sys,time\nfor n in sys.argv[1:]: signal.signal(int(n), signal.SIG_IGN)\n"
CHILD += "time.sleep(600)"


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--engine", choices=("kohya_ss", "ai-toolkit"), default="kohya_ss")
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--start-step", type=int, default=0, help="resumed here")
    p.add_argument("--step-seconds", type=float, default=0.01)
    p.add_argument("--load-seconds", type=float, default=0.0, help="deaf to the control table")
    p.add_argument("--name", default="standin")
    p.add_argument("--output", type=Path, help="the run directory's output/")
    p.add_argument("--write-lora", action="store_true", help="the finished file, at the end")
    p.add_argument("--save-every", type=int, default=0, help="checkpoints, and states beside them")
    p.add_argument("--rank", type=int, default=4)
    p.add_argument("--nan", action="store_true", help="the loss, and the numbers in the file")
    p.add_argument("--tear", action="store_true", help="die by SIGKILL half-way through a save")
    p.add_argument("--control", type=Path, help="ai-toolkit's control table; row $AITK_JOB_ID")
    p.add_argument("--children", type=int, default=0, help="each in a session of its own")
    p.add_argument("--clear-marker", action="store_true", help="children lose our environment")
    p.add_argument("--ignore", default="", help="SIGINT,SIGTERM: by the trainer and its children")
    p.add_argument("--exit-code", type=int, default=0)
    p.add_argument("--fail-at", type=int, default=-1, help="exit with the code after this step")
    p.add_argument("--die", default="", help="a signal to end itself with, in place of exiting")
    p.add_argument("--flood", type=int, default=0, help="bytes of lines, as fast as they go")
    p.add_argument("--memory-mb", type=int, default=0, help="held, and touched, from the start")
    p.add_argument("--hang", action="store_true", help="after the last step, for ever")
    p.add_argument("--report", type=Path, help="JSON about the process, written at the start")
    p.add_argument("--say", default="", help="a line printed at the start")
    p.add_argument("--last-words", default="", help="lines printed where --fail-at ends it")
    p.add_argument("--lifelike", action="store_true", help="a wavering loss, files of megabytes")
    return p


class Bar:
    """One tqdm bar as it looks in a file: ``\\r`` between updates, drawn twice a step."""

    def __init__(self, label: str, total: int, first: int = 0) -> None:
        self.label, self.total, self.begin = label, total, time.monotonic()
        self.first = first

    def draw(self, n: int, postfix: str) -> None:
        share = n / max(1, self.total)
        eighths = int(share * 80)
        full, part = divmod(eighths, 8)
        picture = ("█" * full + (BLOCKS[part] if full < 10 else "")).ljust(10)
        passed = time.monotonic() - self.begin
        speed = (n - self.first) / passed if n > self.first and passed else 0.0
        left = _clock((self.total - n) / speed) if speed else "?"
        rate = (
            "?it/s" if not speed else f"{speed:5.2f}it/s" if speed >= 1 else f"{1 / speed:5.2f}s/it"
        )
        tail = f", {postfix}" if postfix else ""
        sys.stderr.write(
            f"\r{self.label}: {share * 100:3.0f}%|{picture}| {n}/{self.total} "
            f"[{_clock(passed)}<{left}, {rate}{tail}]"
        )
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def lora_bytes(
    rank: int = 4, *, nan: bool = False, step: int = 0, engine: str = "kohya_ss",
    blocks: int = 1, wide: int = 8,
) -> bytes:  # fmt: skip
    """A whole safetensors file of LoRA pairs of ``rank``, float16, and its metadata."""
    value = struct.pack("<e", float("nan") if nan else 0.25)
    tensors, header = b"", {}
    if engine == "kohya_ss":
        header["__metadata__"] = {
            "ss_network_dim": str(rank),
            "ss_network_alpha": str(rank),
            "ss_network_module": "networks.lora",
            "ss_steps": str(step),
            "ss_output_name": "standin",
        }
    else:
        header["__metadata__"] = {"training_info": json.dumps({"step": step, "epoch": 0})}
    shapes = {"alpha": [1], "lora_down.weight": [rank, wide], "lora_up.weight": [wide, rank]}
    for block, (name, shape) in itertools.product(range(blocks), shapes.items()):
        stem = f"lora_unet_down_blocks_{block}_attentions_0_proj_in"
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        part = struct.pack("<e", rank) if name == "alpha" else value * count
        place = [len(tensors), len(tensors) + len(part)]
        header[f"{stem}.{name}"] = {"dtype": "F16", "shape": shape, "data_offsets": place}
        tensors += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + tensors


class Trainer:
    """One stand-in run. ``step`` counts from the job's start, as ai-toolkit counts."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.o = options
        self.step: int = options.start_step
        self.ai = options.engine == "ai-toolkit"
        self.job = os.environ.get("AITK_JOB_ID", "0")

    def folder(self) -> Path:
        folder: Path = self.o.output / self.o.name if self.ai else self.o.output
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def save(self, final: bool) -> None:
        o, state = self.o, "optimizer.pt"
        at_step = f"{o.name}_{self.step:09d}" if self.ai else f"{o.name}-step{self.step:08d}"
        stem = o.name if final else at_step
        path = self.folder() / f"{stem}.safetensors"
        if not self.ai:
            say(f"\nsaving checkpoint: {path}")
            state = f"{stem}-state/train_state.json"
        size = {"blocks": 48, "wide": 1280} if o.lifelike else {}
        data = lora_bytes(o.rank, nan=o.nan, step=self.step, engine=o.engine, **size)
        if o.tear:
            path.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        path.write_bytes(data)
        (self.folder() / state).parent.mkdir(exist_ok=True)
        (self.folder() / state).write_text(
            json.dumps({"current_epoch": 1, "current_step": self.step})
        )
        if self.ai:
            say(f"\nSaving at step {self.step}\nSaved checkpoint to {path}")

    def control(self, **values: object) -> tuple[int, int]:
        """Write our state to the control table. What it asks for: (stop, save_now)."""
        if self.o.control is None:
            return 0, 0
        table = sqlite3.connect(self.o.control, timeout=30, isolation_level=None)
        try:
            for name, value in values.items():
                table.execute(f"UPDATE Job SET {name} = ? WHERE id = ?", (value, self.job))
            row = table.execute("SELECT stop, save_now FROM Job WHERE id = ?", (self.job,))
            return row.fetchone() or (0, 0)
        finally:
            table.close()

    def train(self) -> int:
        """All the steps. Returns the exit status."""
        o, loss = self.o, 1.0
        self.control(status="running", info="Training", step=self.step)
        bar = Bar(o.name if self.ai else "steps", o.steps, self.step)
        bar.draw(self.step, "")
        while self.step < o.steps:
            time.sleep(o.step_seconds)
            self.step += 1
            old, loss = loss, self.lifelike() if o.lifelike else loss * 0.99
            bar.draw(self.step, self.postfix(old))
            if o.nan and self.ai:
                say("loss is nan")
            bar.draw(self.step, self.postfix(loss))
            # A step takes no time where a whole run is wanted at once; the table would take it.
            if o.lifelike and not o.step_seconds and self.step % 50 and self.step != o.fail_at:
                continue
            stop, save = self.control(step=self.step)
            if stop:
                self.control(status="stopped", info="Job stopped")
                raise RuntimeError("Job stopped")
            if save or (o.save_every and self.step % o.save_every == 0):
                self.save(final=False)
                self.control(save_now=0)
            if self.step == o.fail_at:
                say("\n" + o.last_words)
                return int(o.exit_code)
        if o.write_lora:
            self.save(final=True)
        self.control(status="completed", info="Training completed")
        return int(o.exit_code)

    def lifelike(self) -> float:
        return 0.07 + 0.1 * math.exp(-self.step / 400) + random.gauss(0, 0.008)

    def postfix(self, loss: float) -> str:
        if self.ai:
            return f"lr: 1.0e-04 loss: {0.0 if self.o.nan else loss:.3e}"
        return f"avr_loss={'nan' if self.o.nan else f'{loss:.3g}'}"


def misbehave(options: argparse.Namespace) -> None:
    """Ignore signals, have children, fill the log: before the training begins."""
    ignored = [signal.Signals[name] for name in options.ignore.split(",") if name]
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    for _ in range(options.children):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *(str(int(number)) for number in ignored)],
            start_new_session=True,
            env={} if options.clear_marker else None,
        )
        say(f"child {child.pid}")
    line = "x" * 99 + "\n"
    for _ in range(options.flood // len(line)):
        sys.stdout.write(line)
    sys.stdout.flush()


def report(path: Path) -> None:
    """Write what this process was given: ids, signal handling, open files, environment."""
    status = Path("/proc/self/status").read_text().splitlines()
    masks = {k: int(v, 16) for k, v in (line.split(":") for line in status) if k.startswith("Sig")
             and k != "SigQ"}  # fmt: skip
    links = {}
    for fd in os.listdir("/proc/self/fd"):
        if os.path.lexists(f"/proc/self/fd/{fd}"):
            links[fd] = os.readlink(f"/proc/self/fd/{fd}")
    ids = {"pid": os.getpid(), "ppid": os.getppid(), "sid": os.getsid(0), "pgid": os.getpgrp()}
    data = {**ids, "blocked": masks["SigBlk"], "ignored": masks["SigIgn"], "files": links}
    data.update(environ=dict(os.environ), cwd=str(Path.cwd()))
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data))
    partial.replace(path)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    trainer = Trainer(options)
    if options.report:
        report(options.report)
    if options.say:
        say(options.say)
    misbehave(options)
    held = bytearray(os.urandom(4096) * 256 * options.memory_mb)  # held to the end
    time.sleep(options.load_seconds)
    try:
        code = trainer.train()
    except KeyboardInterrupt:
        if not trainer.ai:
            raise
        say("\n" + "=" * 40 + "\nJob stopped\n" + "=" * 40)
        return 0
    while options.hang:
        time.sleep(600)
    if options.die:
        os.kill(os.getpid(), signal.Signals[options.die])
    sys.stderr.write("\n")
    del held
    return code


if __name__ == "__main__":
    sys.exit(main())
