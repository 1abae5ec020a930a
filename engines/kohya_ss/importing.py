"""Reads a saved config of the kohya_ss GUI (.json) or of sd-scripts (.toml) into our document."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from engines.importing import Imported, NotAConfigError
from engines.kohya_ss import gui, native, options
from engines.kohya_ss.reading import Reader, is_on, read_memory, read_network, read_optimizer
from engines.spec import NAME_PATTERN

_NOT_LORA = ("token_string", "dreambooth", "TI")
_OURS = {
    "output_dir": "every job has a folder of its own",
    "logging_dir": "every job has a folder of its own",
    "log_with": "readings are always kept",
    "dataset_config": "name the folders under datasets",
    "train_data_dir": "name the folders that hold the pictures under datasets",
    "reg_data_dir": "name the folders that hold the pictures under datasets",
    "save_state": "states are always kept, so that a job can resume",
    "save_state_on_train_end": "states are always kept, so that a job can resume",
    "save_model_as": "files are always safetensors",
    "save_last_n_steps_state": "the newest state is always kept",
    "save_last_n_epochs_state": "the newest state is always kept",
    "resume": "a job resumes by itself",
    "initial_epoch": "a job resumes by itself",
}
_SAME = {
    "network_dim": "network.rank", "network_alpha": "network.alpha",
    "network_dropout": "network.dropout", "learning_rate": "optimizer.learning_rate",
    "lr_scheduler": "optimizer.scheduler", "gradient_accumulation_steps": "batch.gradient_accumulation",
    "train_batch_size": "batch.size", "mixed_precision": "memory.mixed_precision",
    "gradient_checkpointing": "memory.gradient_checkpointing", "min_snr_gamma": "loss.min_snr_gamma",
    "noise_offset": "loss.noise_offset", "timestep_sampling": "loss.timestep_sampling",
    "guidance_scale": "loss.guidance", "seed": "seed", "max_train_epochs": "length.epochs",
    "max_train_steps": "length.steps", "metadata_trigger_phrase": "trigger_word",
    "save_every_n_steps": "saving.every_steps", "sample_every_n_steps": "sampling.every_steps",
    "min_bucket_reso": "buckets.min", "max_bucket_reso": "buckets.max",
    "bucket_reso_steps": "buckets.step", "enable_bucket": "buckets.enabled",
}  # fmt: skip
_COMPONENTS = ("vae", "clip_l", "clip_g", "t5xxl", "ae", "gemma2", "qwen3", "byt5", "text_encoder")
_NUMBERS = ("network.rank", "batch.size", "batch.gradient_accumulation", "length.epochs", "length.steps", "seed",
            "saving.every_steps", "sampling.every_steps", "buckets.min", "buckets.max", "buckets.step")  # fmt: skip


def import_config(text: str, filename: str) -> Imported:
    """The canonical document and a line for each value that is not in it as it was.

    Raises NotAConfigError for what is no LoRA training of sd-scripts.
    """
    lines: list[str] = []
    flat, family = _load(text, filename, lines.append)
    reader = Reader(flat, family, lines.append)
    _frame(reader, filename)
    read_optimizer(reader)
    read_memory(reader)
    read_network(reader)
    for key, path in _SAME.items():
        value = reader.take(key)
        if value is not None:
            reader.put(path, _number(value) if path in _NUMBERS else value)
    _length(reader)
    _rest(reader)
    return Imported(reader.document, tuple(lines))


def _load(text: str, filename: str, say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    if filename.lower().endswith(".json"):
        try:
            data = json.loads(text)
        except ValueError as error:
            raise NotAConfigError(f"It is no valid JSON: {error}.") from error
        if not gui.is_gui(data):
            raise NotAConfigError("It is no LoRA configuration of the kohya_ss GUI.")
        return gui.to_native(data, say)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotAConfigError(f"It is no valid TOML: {error}.") from error
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    if "network_module" not in flat and "network_dim" not in flat:
        raise NotAConfigError("It has no network_module, so it trains no LoRA.")
    return flat, _family(flat)


def _family(flat: dict[str, Any]) -> str:
    """sd-scripts names the family by its script, so it has to be guessed from the keys."""
    module = str(flat.get("network_module", ""))
    for mark, family in (
        ("flux", "flux"),
        ("sd3", "sd3"),
        ("lumina", "lumina2"),
        ("anima", "anima"),
        ("hunyuan", "hunyuan_image"),
    ):
        if mark in module:
            return "chroma" if flat.get("model_type") == "chroma" else family
    if flat.get("v2"):
        return "sd2"
    text = f"{flat.get('pretrained_model_name_or_path', '')} {flat.get('resolution', '')}".lower()
    return "sdxl" if "xl" in text or "1024" in text else "sd15"


def _frame(reader: Reader, filename: str) -> None:
    name = str(reader.take("output_name") or "")
    if re.match(NAME_PATTERN, name):
        reader.document["name"] = name
    else:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", PurePath(filename).stem).strip("-.") or "imported"
        reader.document["name"] = stem[:80]
        if name:
            reader.say(
                f"translated output_name -> name: {name!r} holds characters a name cannot have"
            )
    base = reader.take("pretrained_model_name_or_path")
    reader.document["base_model"] = base or None
    reader.take("v2")
    components = {name: path for name in _COMPONENTS if (path := reader.take(name))}
    if components:
        reader.document["components"] = components
    for key, why in _OURS.items():
        if reader.take(key) not in (None, "", False):
            reader.say(f"dropped {key}: {why}")


def _length(reader: Reader) -> None:
    length = reader.document.get("length", {})
    if "epochs" in length and "steps" in length:
        reader.document["length"] = {"epochs": length["epochs"]}
        reader.say("dropped max_train_steps: max_train_epochs wins over it")
    elif not length:
        reader.document["length"] = {"steps": 1600}
    keep = reader.take("save_last_n_epochs")
    if keep:
        reader.put("saving.keep", int(keep))
    for key in ("save_every_n_epochs", "sample_every_n_epochs", "save_last_n_steps"):
        if reader.take(key):
            reader.say(f"dropped {key}: intervals are given in steps here")
    prompts = reader.take("sample_prompts")
    if prompts:
        reader.put(
            "sampling.prompts",
            [
                line.partition(" --")[0].strip()
                for line in str(prompts).splitlines()
                if line.strip()
            ],
        )
        reader.say("translated sample_prompts -> sampling.prompts: flags after -- are fields here")
    resolution = reader.take("resolution")
    if resolution:
        reader.say("dropped resolution: give it with each dataset")
    for key in (
        "caption_extension",
        "shuffle_caption",
        "keep_tokens",
        "flip_aug",
        "caption_dropout_rate",
    ):
        if reader.take(key) not in (None, "", False, 0, "0"):
            reader.say(f"dropped {key}: give it with each dataset")
    if reader.take("bucket_no_upscale") is not None:
        reader.put("buckets.upscale", False)


def _rest(reader: Reader) -> None:
    """What has no canonical field goes on as it is, if any LoRA script knows it."""
    known: dict[str, Any] = {}
    for table in options.shipped().data.values():
        known.update(table)
    extra = {}
    for key, value in reader.flat.items():
        if key in native.FIELD_OF or key not in known:
            reader.say(f"dropped {key}: sd-scripts has no such option for a LoRA")
            continue
        fitted = _fitted(value, known[key])
        if problem := options.misfit(fitted, known[key]):
            reader.say(f"dropped {key}: {problem}")
        else:
            extra[key] = fitted
    if extra:
        reader.document["engine_options"] = {"kohya_ss": {"config": extra}}


def _fitted(value: Any, option: Any) -> Any:
    """Text from the GUI in the type of the option."""
    kind = option.get("type")
    try:
        if option.get("switch"):
            return is_on(value)
        if option.get("many"):
            return value if isinstance(value, list) else str(value).split()
        if isinstance(value, bool):
            return value
        if kind == "int":
            return int(float(value))
        if kind in ("float", "int_or_float"):
            return float(value)
    except (TypeError, ValueError):
        return value
    return str(value) if kind in ("str", "path") else value


def _number(value: Any) -> Any:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return value
