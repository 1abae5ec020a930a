"""What the files are that sd-scripts leaves, and which saved state to go on from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engines.base import OutputFile, ResumePoint, SavedState

STATE_FILES = (
    "model.safetensors",
    "optimizer.bin",
    "scheduler.bin",
    "random_states_0.pkl",
    "train_state.json",
)
"""A state folder is whole only with all of these; the last of them written is the pickle."""

_SAMPLE = re.compile(
    r"^sample/.+_(?:e(?P<epoch>\d{6})|(?P<step>\d{6}))_(?P<prompt>\d+)_\d{14}(?:_\d+)?\.(?:png|jpg|webp)$"
)


def classify(path: str, name: str) -> OutputFile | None:
    """``path`` is relative to the output folder; ``name`` the job's."""
    stem = re.escape(name)
    if path == f"{name}.safetensors":
        return OutputFile(path, "lora", final=True)
    if m := re.fullmatch(rf"{stem}-step(\d+)\.safetensors", path):
        return OutputFile(path, "lora", step=int(m[1]))
    if m := re.fullmatch(rf"{stem}-(\d+)\.safetensors", path):
        return OutputFile(path, "lora", epoch=int(m[1]))
    if path == f"{name}-state":
        return OutputFile(path, "state", final=True)
    if m := re.fullmatch(rf"{stem}-step(\d+)-state", path):
        return OutputFile(path, "state", step=int(m[1]))
    if m := re.fullmatch(rf"{stem}-(\d+)-state", path):
        return OutputFile(path, "state", epoch=int(m[1]))
    if m := _SAMPLE.match(path):
        return OutputFile(
            path,
            "sample",
            step=int(m["step"]) if m["step"] else None,
            epoch=int(m["epoch"]) if m["epoch"] else None,
            prompt=int(m["prompt"]),
        )
    return None


def resume_point(states: Sequence[SavedState], steps_per_epoch: int | None) -> ResumePoint | None:
    """The whole state of the highest epoch, or of the finished run when it is continued.

    A step state or a bare LoRA is never right.
    Only whole epochs resume exactly: the order of the pictures within one is not restored.
    """
    states = [s for s in states if s.whole and s.file.kind == "state"]
    epochs = [s for s in states if s.file.epoch]
    finished = next((s for s in states if s.file.final and s.step), None)
    if finished is not None and steps_per_epoch:
        done = (finished.step or 0) // steps_per_epoch
        if all((s.file.epoch or 0) < done for s in epochs):
            return ResumePoint(finished.path, done * steps_per_epoch, done)
    if not epochs:
        return None
    newest = max(epochs, key=lambda s: s.file.epoch or 0)
    epoch = newest.file.epoch or 0
    return ResumePoint(newest.path, epoch * (steps_per_epoch or 0), epoch)
