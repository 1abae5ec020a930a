"""Reads a native ai-toolkit config (YAML or JSON) into a canonical document."""

from __future__ import annotations

import re
from typing import Any

from engines import naming
from engines.ai_toolkit.draft import generic, place
from engines.ai_toolkit.options import shipped, unknown_in_process
from engines.ai_toolkit.reading.data import read_datasets, read_samples
from engines.ai_toolkit.reading.model import read_family, read_model
from engines.ai_toolkit.reading.source import ABSENT, Source, flatten, load, plain
from engines.ai_toolkit.reading.training import (
    read_length,
    read_network,
    read_optimizer,
    read_rest,
)
from engines.importing import Imported, NotAConfigError

_TRAINERS = ("sd_trainer", "diffusion_trainer", "ui_trainer")
_OURS = {
    "type": "every job runs as diffusion_trainer",
    "training_folder": "every job has a folder of its own",
    "sqlite_db_path": "every job has a control table of its own",
    "device": "ai-toolkit itself ignores it",
    "logging.use_ui_logger": "the loss is always recorded",
    "logging.log_every": "every step is recorded",
    "train.start_step": "a job counts its steps itself",
}


def import_config(text: str, filename: str) -> Imported:
    """The canonical document and a line for each value that is not in it as it was.

    Raises NotAConfigError for what is no LoRA training of ai-toolkit. Where the config is
    silent, the engine's own default is written, so that the run stays the same.
    """
    document = load(text)
    config = document["config"]
    processes = config.get("process")
    if not isinstance(processes, list) or not processes or not isinstance(processes[0], dict):
        raise NotAConfigError("It has no process.")
    process = processes[0]
    kind = process.get("type")
    if kind not in _TRAINERS:
        raise NotAConfigError(f"Its process is a {kind}; a LoRA is trained by {_TRAINERS[0]}.")
    if not isinstance(process.get("network"), dict):
        raise NotAConfigError("It has no network section, so it trains no LoRA.")
    odd: list[str] = []
    source = Source(flatten(plain(process, odd)))
    for path in odd:
        source.dropped(path, "no key of ai-toolkit is written so")
    _read_frame(source, document, filename)
    family = read_family(source)
    read_network(source, family)
    read_optimizer(source, family)
    read_length(source)
    read_model(source, family)
    read_datasets(source)
    read_rest(source, family)
    read_samples(source, family)
    _read_left_over(source)
    return Imported(source.finished(), tuple(source.lines))


def _read_frame(source: Source, document: dict[str, Any], filename: str) -> None:
    """The name, the trigger word, and what stands around the process."""
    config = document["config"]
    source.set("version", 1)
    _read_name(source, config.get("name"), filename)
    for key in document:
        if key == "meta":
            for name in document["meta"] if isinstance(document["meta"], dict) else ():
                source.dropped(f"meta.{name}", "the platform writes its own into the file")
        elif key != "config":
            source.dropped(key, "every training has it")
    for key in config:
        if key not in ("name", "process"):
            source.dropped(f"config.{key}", "ai-toolkit has no such key")
    for number in range(1, len(config["process"])):
        source.dropped(f"config.process[{number}]", "a job is one training; import it by itself")
    for path, reason in _OURS.items():
        if source.take(path) is not ABSENT:
            source.dropped(path, reason)
    source.move("trigger_word", "trigger_word", "")
    source.move("training_seed", "seed")


def _read_name(source: Source, name: Any, filename: str) -> None:
    asked = str(name) if name else re.sub(r"\.[^.]*$", "", filename)
    clean = naming.nearest(asked) or "imported"
    if name and clean != name:
        source.translated("config.name", "name")
    source.set("name", clean)


def _read_left_over(source: Source) -> None:
    """Keys without a field go into the engine options, if the engine knows them at all."""
    known = shipped()
    for path, value in list(source.values.items()):
        piece: dict[str, Any] = {}
        place(piece, path, value)
        source.take(path)
        if unknown_in_process(piece, known):
            source.dropped(path, "ai-toolkit has no such key and ignores it")
        elif generic(path).endswith("[]") or value == {} or value == []:
            source.dropped(path, "it is empty")
        else:
            source.keep(path, value)
