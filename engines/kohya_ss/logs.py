"""What sd-scripts prints, piece by piece: bars, log lines, facts."""

from __future__ import annotations

import re

from engines.base import Phase, Progress

_BAR = re.compile(
    r"^steps:\s+\d+%\|[^|]*\|\s*(?P<step>\d+)/(?P<total>\d+) "
    r"\[(?P<elapsed>[\d:]+)<(?P<left>[\d:?]+), +(?P<rate>[\d.]+|\?)(?P<unit>it/s|s/it)"
    r"(?:, (?P<postfix>[^\]]*))?\]"
)
_LOSS = re.compile(
    r"(?:avr_loss|loss)=(?P<loss>nan|-?inf|[-+]?[.\d]+(?:e[-+]?\d+)?)", re.IGNORECASE
)
_BATCHES = re.compile(r"^num batches per epoch / .*: (?P<count>\d+)$")
_SAVING = re.compile(r"saving checkpoint: (?P<path>.+)$")
_REMOVED = re.compile(r"removing old checkpoint: (?P<path>.+)$")
_PHASES: tuple[tuple[re.Pattern[str], Phase], ...] = (
    (re.compile(r"caching latents|caching text encoder|caching Text Encoder"), Phase.CACHING),
    (re.compile(r"saving checkpoint:|saving state|saving model"), Phase.SAVING),
    (re.compile(r"generating sample images|prompt: "), Phase.SAMPLING),
    (re.compile(r"^epoch \d+/\d+|running training"), Phase.TRAINING),
    (re.compile(r"Downloading|Fetching \d+ files"), Phase.DOWNLOADING),
    (re.compile(r"loading (u-net|model|Diffusers|StableDiffusion|text encoder|vae)|load StableDiffusion|"
                r"prepare tokenizer|Loading pipeline|loading image sizes", re.IGNORECASE), Phase.LOADING),
)  # fmt: skip


def parse(piece: str) -> Progress | None:
    """One piece of the log; None when it says nothing about progress."""
    piece = piece.strip()
    if bar := _BAR.match(piece):
        return _progress(bar)
    if batches := _BATCHES.match(piece):
        return Progress(batches_per_epoch=int(batches["count"]), phase=Phase.LOADING)
    if removed := _REMOVED.search(piece):
        return Progress(removed=removed["path"])
    for pattern, phase in _PHASES:
        if pattern.search(piece):
            saving = _SAVING.search(piece)
            return Progress(phase=phase, saved=saving["path"] if saving else None)
    return None


def _progress(bar: re.Match[str]) -> Progress:
    rate = None if bar["rate"] == "?" else float(bar["rate"])
    seconds = rate if bar["unit"] == "s/it" else (1 / rate if rate else None)
    loss = _LOSS.search(bar["postfix"] or "")
    return Progress(
        step=int(bar["step"]),
        total=int(bar["total"]),
        loss=float(loss["loss"]) if loss else None,
        seconds_per_step=seconds,
        phase=Phase.TRAINING,
    )
