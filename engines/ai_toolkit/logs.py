"""Reads the trainer's log: its bars, its announcements, and the words that mean trouble.

Bars of other things (sampling, caching, loading) look the same; the training bar alone ends
in the learning rate and the loss. It is drawn twice a step: with the loss of the step that has
just ended, then with the count raised.
"""

from __future__ import annotations

import re

from engines.base import Phase, Progress

_BAR = re.compile(
    r"\s\d+%\|[^|]*\|\s*(?P<step>\d+)/(?P<total>\d+) "
    r"\[[\d:]+<[\d:?]+,\s+(?P<rate>[\d.]+|\?)(?P<unit>it/s|s/it), "
    r"lr: (?P<rate_now>\S+)(?P<losses>[^\]]*)\]"
)
_LOSS = re.compile(r"\bloss: (\S+)")
_NAN = re.compile(r"(?:^|\])\s*(?:Prior )?loss is nan\s*$")
_SAVED = re.compile(r"^Saved checkpoint to (.+?)\s*$")
_REMOVED = re.compile(r"^Removing old save: (.+?)\s*$")

_PHASES = (
    (Phase.STARTING, re.compile(r"^(Running \d+ job|Running\s+\d+ process)")),
    (Phase.DOWNLOADING, re.compile(r"^(Fetching \d+ files|Downloading|.*\|.*\d[kMGT]?B/s)")),
    (
        Phase.LOADING,
        re.compile(
            r"^(Loading (?!optimizer)|Quantizing|create LoRA network|#### IMPORTANT RESUMING)"
        ),
    ),
    (Phase.CACHING, re.compile(r"^(Dataset: |Caching |\s+-\s+Preprocessing )")),
    (Phase.SAMPLING, re.compile(r"^(Generating (baseline|Images)|Sampling at step )")),
    (Phase.SAVING, re.compile(r"^Saving at step \d+")),
)


def parse(piece: str) -> Progress | None:
    """What one piece says; None if nothing. A loss of NaN is told as NaN."""
    bar = _BAR.search(piece)
    diverged = _NAN.search(piece) is not None
    if bar is not None:
        return _of_bar(bar, diverged)
    if diverged:
        return Progress(loss=float("nan"))
    saved = _SAVED.match(piece)
    if saved is not None:
        return Progress(phase=Phase.SAVING, saved=saved[1])
    removed = _REMOVED.match(piece)
    if removed is not None:
        return Progress(removed=removed[1])
    for phase, pattern in _PHASES:
        if pattern.match(piece):
            return Progress(phase=phase)
    return None


def _of_bar(bar: re.Match[str], diverged: bool) -> Progress:
    rate = float(bar["rate"]) if bar["rate"] != "?" else 0.0
    if rate and bar["unit"] == "it/s":
        rate = 1 / rate
    loss = float("nan") if diverged else _loss(bar["losses"])
    return Progress(
        step=int(bar["step"]),
        total=int(bar["total"]),
        loss=loss,
        learning_rate=_number(bar["rate_now"]),
        seconds_per_step=rate or None,
        phase=Phase.TRAINING,
    )


def _loss(text: str) -> float | None:
    """The loss of a bar. An exact 0 is what the engine puts in place of NaN: it tells nothing."""
    found = _LOSS.search(text)
    return (_number(found[1]) or None) if found else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
