"""What an engine adapter takes and gives, as plain records; the adapter itself is ``engines.adapter``.

Adapters are pure. Files, databases, processes and the network belong to ``app``; an adapter
is told what was found there (``DatasetFacts``, ``OutputFile``) and says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from engines.spec import EngineName


@dataclass(frozen=True)
class DatasetFacts:
    """What was found in one dataset folder: pixel sizes of its pictures, with how many of each.

    ``sizes`` holds (width, height, count); widths and heights in pixels, as the engine would
    read them. ``captions`` is the number of pictures that have a caption file.
    """

    sizes: tuple[tuple[int, int, int], ...]
    captions: int = 0

    @property
    def images(self) -> int:
        return sum(count for _, _, count in self.sizes)


@dataclass(frozen=True)
class ResumePoint:
    """A whole saved state that the next attempt goes on from.

    ``path`` is absolute; ``step`` counts optimizer steps of the whole job done in it, ``epoch``
    whole epochs (kohya_ss). ``weights_only`` means there is no optimizer state.
    """

    path: Path
    step: int
    epoch: int | None = None
    weights_only: bool = False


@dataclass(frozen=True)
class Workspace:
    """Where a plan will run and what was found there.

    ``native``, ``output`` and ``logs`` (the engine's own records, one folder an attempt) are
    absolute; ``home`` is the engine's checkout, ``python`` its interpreter. ``datasets`` is
    parallel to ``spec.datasets``, or None when nobody looked (``render``). ``steps_per_epoch`` is what the
    engine itself printed in an earlier attempt, if there was one. Dataset paths and
    ``base_model`` in the spec are already absolute (or a hub id). An empty ``job_id`` is a run
    without the platform: nobody gives it orders while it trains.
    """

    native: Path
    output: Path
    logs: Path
    home: Path
    python: str
    job_id: str = "0"
    datasets: tuple[DatasetFacts, ...] | None = None
    gpus: tuple[int, ...] = ()
    resume: ResumePoint | None = None
    steps_per_epoch: int | None = None
    options: OptionList | None = None


@dataclass(frozen=True)
class StopStep:
    """One step of a stop, done by the runner; the next follows after ``grace`` seconds.

    ``kind`` "signal" sends ``signal`` to the trainer's group; "sqlite" runs ``statement`` with
    ``parameters`` on ``path`` and, where ``until`` is given, waits for that query's first
    column to be true.
    """

    kind: Literal["signal", "sqlite"]
    grace: float
    signal: str = ""
    path: str = ""
    statement: str = ""
    parameters: tuple[Any, ...] = ()
    until: str | None = None
    until_parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ControlTable:
    """A SQLite table the trainer reads its orders from; ``app`` makes it before the start."""

    path: Path
    schema: str
    insert: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True)
class LaunchPlan:
    """Everything needed to start a trainer, and to know what it will do.

    ``files`` maps names inside ``Workspace.native`` to text. ``env`` is added to the server's
    environment and holds no secret. ``stop`` are the steps of a plain stop, ``save_and_stop``
    and ``save_now`` those of a stop or a moment that saves first (empty: the engine cannot).
    ``total_steps`` are the optimizer steps of the whole job as planned (None: known only once
    the engine has counted its batches), ``start_step`` those already done. ``final`` is the
    finished LoRA, relative to ``output``. ``notes`` are sentences for people: what was rounded
    or translated. ``sources`` maps a native key, as "file:path.to.key", to the canonical field
    it came from.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    files: Mapping[str, str]
    stop: tuple[StopStep, ...]
    final: str
    total_steps: int | None
    start_step: int = 0
    steps_per_epoch: int | None = None
    epochs: int | None = None
    save_and_stop: tuple[StopStep, ...] = ()
    save_now: tuple[StopStep, ...] = ()
    sample_now: tuple[StopStep, ...] = ()
    control: ControlTable | None = None
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


class Phase(StrEnum):
    """What a trainer is busy with."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    CACHING = "caching"
    TRAINING = "training"
    SAMPLING = "sampling"
    SAVING = "saving"


@dataclass(frozen=True)
class Progress:
    """What one piece of the log, or one row of a record, said. None: it did not say.

    ``step`` and ``total`` are as the engine counts in this attempt; ``loss`` may be NaN;
    ``seconds_per_step`` is in seconds. ``batches_per_epoch`` is what the engine counted; a step
    takes as many batches as gradients are accumulated over. ``saved`` and ``removed`` are files.
    """

    step: int | None = None
    total: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    seconds_per_step: float | None = None
    phase: Phase | None = None
    batches_per_epoch: int | None = None
    saved: str | None = None
    removed: str | None = None


@dataclass(frozen=True)
class OutputFile:
    """One thing an engine wrote, by its path relative to ``output``.

    ``kind`` "lora" is a checkpoint or the finished file (``final``), "kept" one that a person
    pinned, "state" a saved training state, "sample" a picture or video, "partial" an unfinished
    write. ``step``, ``epoch`` and ``prompt`` (index from 0) where its name tells.
    """

    path: str
    kind: Literal["lora", "kept", "state", "sample", "partial"]
    step: int | None = None
    epoch: int | None = None
    prompt: int | None = None
    final: bool = False


@dataclass(frozen=True)
class SavedState:
    """A candidate to resume from, checked by ``app``: ``whole`` means complete and loadable.

    ``step`` is the optimizer step its own metadata tells, if any; ``mtime`` in epoch seconds.
    """

    file: OutputFile
    path: Path
    whole: bool
    mtime: float
    step: int | None = None


@dataclass(frozen=True)
class Refusal:
    """A field that this engine (or family on it) cannot honour, and why, in one sentence."""

    field: str
    message: str


@dataclass(frozen=True)
class Complaint:
    """A native key that the engine does not know, or a value that does not fit it.

    ``key`` is the file and the path in it, as in ``LaunchPlan.sources``.
    """

    key: str
    message: str


class UnsupportedError(ValueError):
    """The spec asks the engine for what it cannot do. ``refusals`` names every field."""

    def __init__(self, engine: EngineName, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(f"{r.field}: {r.message}" for r in refusals))
        self.engine, self.refusals = engine, tuple(refusals)


@dataclass(frozen=True)
class OptionList:
    """What an engine accepts, in the engine's own form of data.

    For kohya_ss ``data`` maps a script's stem (train_network) to {option: {type, switch, many,
    choices, default}}; for ai-toolkit it holds classes, sections and free_form. ``source``
    says where it was read: "shipped with <commit>" or the installed checkout. ``modules`` are the
    network modules of an installed sd-scripts, ``dataset_keys`` what its dataset config may hold;
    both are empty where nobody looked.
    """

    source: str
    data: Mapping[str, Any]
    modules: tuple[str, ...] = ()
    dataset_keys: tuple[str, ...] = ()
