"""Reads the frame of a run: name, model, what the platform does itself, length and intervals."""

from __future__ import annotations

from pathlib import PurePath

from engines import families, naming
from engines.kohya_ss.reading.ledger import Ledger, asked, is_on, whole

_OURS = {
    "output_dir": "every job has a folder of its own",
    "logging_dir": "every job has a folder of its own",
    "log_with": "readings are kept here; Weights & Biases is not written to",
    "save_state": "states are always kept, so that a job can resume",
    "save_state_on_train_end": "states are always kept, so that a job can resume",
    "save_model_as": "files are always safetensors",
    "save_last_n_steps_state": "the newest state is always kept",
    "save_last_n_epochs_state": "the newest state is always kept",
    "resume": "a job resumes by itself",
    "initial_epoch": "a job resumes by itself",
    "config_file": "the file itself",
    "huggingface_token": "secrets are never stored; set HF_TOKEN in the environment",
    "wandb_api_key": "secrets are never stored",
}
_ENGINE_STEPS = 1600
"""What sd-scripts trains when neither steps nor epochs are given."""
_KEEP_ALL = 1000


def read_frame(ledger: Ledger, filename: str) -> None:
    """Name, base model, components, trigger word, seed and what a job has by itself."""
    _name(ledger, filename)
    ledger.put("base_model", None)
    base = ledger.take("pretrained_model_name_or_path")
    if base:
        ledger.move("pretrained_model_name_or_path", "base_model", base)
    family = families.families()[ledger.family].kohya
    assert family is not None, "only families of sd-scripts are read"
    for name, option in {**family.components, **family.optional}.items():
        path = ledger.take(option)
        if path:
            ledger.move(option, f"components.{name}", path)
    if is_on(ledger.take("v2")):
        ledger.translated("v2", "family")
    for key, reason in _OURS.items():
        if ledger.take(key) not in (None, "", False):
            ledger.dropped(key, reason)
    word = ledger.take("metadata_trigger_phrase")
    if word:
        ledger.move("metadata_trigger_phrase", "trigger_word", word)
    seed = ledger.take("seed")
    if seed not in (None, ""):
        ledger.move("seed", "seed", whole(seed))


def _name(ledger: Ledger, filename: str) -> None:
    asked = str(ledger.take("output_name") or "")
    clean = naming.nearest(asked or PurePath(filename).stem) or "imported"
    ledger.put("name", clean)
    if asked and asked != clean:
        ledger.translated("output_name", "name")


def read_length(ledger: Ledger) -> None:
    """Epochs win over steps; without either sd-scripts has a number of its own."""
    epochs, steps = ledger.take("max_train_epochs"), ledger.take("max_train_steps")
    if asked(epochs):
        ledger.move("max_train_epochs", "length.epochs", whole(epochs))
        if asked(steps):
            ledger.dropped("max_train_steps", "max_train_epochs wins over it")
    elif asked(steps):
        ledger.move("max_train_steps", "length.steps", whole(steps))
    else:
        ledger.put("length.steps", _ENGINE_STEPS)


def read_intervals(ledger: Ledger) -> None:
    """When it saves and samples. An interval in epochs has no field and stays as it is."""
    every = _interval(ledger, "save", "saving.every_steps")
    _interval(ledger, "sample", "sampling.every_steps")
    epochs, steps = ledger.take("save_last_n_epochs"), ledger.take("save_last_n_steps")
    ledger.put("saving.keep", _KEEP_ALL)
    if asked(epochs):
        keep = max(1, whole(epochs) // (every if every and every > 0 else 1))
        ledger.move("save_last_n_epochs", "saving.keep", keep)
    if asked(steps):
        interval = -every if every and every < 0 else whole(steps)
        ledger.move("save_last_n_steps", "saving.keep", whole(steps) // interval + 1)


def _interval(ledger: Ledger, what: str, field: str) -> int | None:
    """Epochs of the interval, or steps as a negative number; None where none is given."""
    epochs = ledger.take(f"{what}_every_n_epochs")
    steps = ledger.take(f"{what}_every_n_steps")
    if asked(steps) and not asked(epochs):
        ledger.move(f"{what}_every_n_steps", field, whole(steps))
    elif asked(steps):
        ledger.dropped(
            f"{what}_every_n_steps",
            f"{what}_every_n_epochs stands beside it; a job goes by whole epochs",
        )
    if asked(epochs):
        ledger.keep(f"{what}_every_n_epochs", whole(epochs))
        return whole(epochs)
    return -whole(steps) if asked(steps) else None
