"""The engine adapter: the ``Engine`` contract, what the program has to know of an engine, all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol

from engines.base import (
    Complaint,
    LaunchPlan,
    OptionList,
    OutputFile,
    Progress,
    Refusal,
    ResumePoint,
    SavedState,
    Workspace,
)
from engines.registry import WHERE, EngineName
from engines.spec import Buckets, JobSpec

Size = tuple[int, int]
"""Width and height in pixels."""
BucketRule = Callable[[Size], tuple[Size, Size]]
"""From the size of a picture to its bucket, and to the size it is scaled to before it is cut."""


@dataclass(frozen=True)
class Reading:
    """How an engine reads a folder of pictures.

    ``endings`` are lower case; in ``any_case`` .Png counts as well, else .png and .PNG only.
    ``subfolders``: pictures in them are trained too. ``turns``: by the EXIF orientation.
    ``writes_beside``: it stops where it cannot write into the folder. ``empty_captions``: it
    trains on; else an empty caption file ends the run.
    """

    endings: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".webp"})
    any_case: bool = True
    subfolders: bool = False
    turns: bool = True
    writes_beside: bool = False
    empty_captions: bool = True


@dataclass(frozen=True)
class Traits:
    """What the program has to know of an engine beside its methods.

    ``script`` is the file by which its checkout is known. Where the trainer is a folder of a
    larger checkout, ``inside`` names that folder and ``outside`` a file of the larger one.
    ``records``: where loss and learning rate are read, its log, TensorBoard's files or
    ai-toolkit's table. ``counts_from_attempt``: its step counter starts at 0 in every attempt.
    ``whole_epochs``: it saves and draws at the end of epochs only. ``takes_orders``: it can be
    told to save or to draw while it trains. ``state_files`` are those of a saved state that is a
    folder. ``again`` tells what a second start of an exported job does. ``install_gb`` is the
    disk that bootstrap.sh takes with CUDA.
    """

    script: str
    inside: str = ""
    outside: str = ""
    records: Literal["log", "tensorboard", "loss-table"] = "log"
    counts_from_attempt: bool = False
    whole_epochs: bool = False
    takes_orders: bool = False
    state_files: tuple[str, ...] = ()
    again: str = "A second start begins at step 0 and writes over output/."
    install_gb: int | None = None
    reading: Reading = Reading()


class Engine(Protocol):
    """An adapter. Stateless; every method is a pure function of its arguments.

    An adapter inherits from this class. The methods down to ``classify`` are its own to write;
    the others suit an engine that cannot resume and whose options nobody can list.
    """

    name: EngineName
    traits: Traits

    def families(self) -> frozenset[str]:
        """Keys of ``engines.families`` that it trains as a LoRA."""

    def refusals(self, spec: JobSpec, options: OptionList | None = None) -> tuple[Refusal, ...]:
        """Every field that cannot be honoured; empty when the spec can be planned."""

    def plan(self, spec: JobSpec, workspace: Workspace) -> LaunchPlan:
        """Native files and command. Raises UnsupportedError with the same refusals."""

    def parse(self, piece: str) -> Progress | None:
        """Read one piece of the log (text between ``\\r`` or ``\\n``, escape codes removed)."""

    def classify(self, path: str, name: str) -> OutputFile | None:
        """Say what an output file or state folder is; None for what does not matter."""

    def resume_point(
        self, states: Sequence[SavedState], steps_per_epoch: int | None
    ) -> ResumePoint | None:
        """The newest whole state to go on from, or None to start at 0."""
        return None

    def quarantine(self, states: Sequence[SavedState]) -> tuple[OutputFile, ...]:
        """What has to be moved out of the engine's sight before it goes on: torn files."""
        return tuple(state.file for state in states if not state.whole)

    def complaints(
        self, spec: JobSpec, files: Mapping[str, str], options: OptionList
    ) -> tuple[Complaint, ...]:
        """One for each native key or value that the option list does not allow."""
        return ()

    def shipped_options(self) -> OptionList:
        """The list for the pinned commit, shipped with the project."""
        return OptionList("no list", {})

    def option_sources(self) -> tuple[str, ...]:
        """Files of a checkout, as patterns relative to it, that tell what it accepts."""
        return ()

    def read_options(self, texts: Mapping[str, str]) -> OptionList:
        """The option list from the text of those files. Raises ValueError if it cannot be read."""
        return self.shipped_options()

    def words(self, path: str) -> Sequence[str]:
        """The words it knows for a text field: its optimizers, schedules, timestep samplings."""
        return ()

    def parts(self, family: str) -> Mapping[str, bool]:
        """Further files that it takes for the family, and whether it cannot do without."""
        return {}

    def takes_default(
        self, family: str, path: str, value: Any, document: Mapping[str, Any]
    ) -> bool:
        """Whether the platform may fill in this value of a field, beside what the document says."""
        return True

    def bucket_rule(self, edge: int, asked: Buckets, divisor: int) -> BucketRule | None:
        """How it sizes pictures at a resolution; None where that is not known.

        ``edge`` is in pixels, ``divisor`` what edges are multiples of where the model says so.
        """
        return None


class _Engines(Mapping[EngineName, Engine]):
    """Each is imported when it is first asked for. Raises KeyError for a name that is no engine."""

    def __init__(self) -> None:
        self._made: dict[EngineName, Engine] = {}

    def __getitem__(self, name: EngineName) -> Engine:
        if name not in self._made:
            module, _, made_by = WHERE[name].partition(":")
            self._made[name] = getattr(import_module(module), made_by)()
        return self._made[name]

    def __iter__(self) -> Iterator[EngineName]:
        return iter(WHERE)

    def __len__(self) -> int:
        return len(WHERE)

    def __contains__(self, name: object) -> bool:
        return name in WHERE  # without importing anything


ENGINES: Mapping[EngineName, Engine] = _Engines()
