"""Any plannable spec comes out of sd-scripts' own readers as it went in, field by field."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from engines import families
from engines.kohya_ss import KohyaSs, optimizer
from engines.kohya_ss.config import SAVE_PRECISION
from engines.spec import JobSpec
from tests.support.roundtrip import SPACE

ENGINE = KohyaSs()
READER = Path(__file__).parents[2] / "support" / "read_kohya.py"
RATES = some.floats(min_value=1e-8, max_value=10, allow_nan=False)
WORDS = some.text(
    some.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=40
).filter(
    lambda text: text.strip() and not text.lstrip().startswith("#") and " --" not in f" {text}"
)
PLAIN = ("adamw", "lion", "adamw8bit", "adafactor")
CURVES = ("constant", "cosine", "linear", "cosine_with_restarts")


@some.composite
def documents(draw: Any) -> dict[str, Any]:
    """What every family of sd-scripts can be given, drawn at random."""
    key = draw(some.sampled_from(sorted(ENGINE.families())))
    family = families.families()[key].kohya
    assert family is not None
    shuffle = draw(some.booleans())
    cached = family.caches_text and not shuffle and draw(some.booleans())
    trains_text = family.trains_text_encoder and not cached and draw(some.booleans())
    pictures = {
        "path": f"/data/{draw(WORDS).strip()}",
        "repeats": draw(some.integers(1, 10_000)),
        "caption_extension": draw(some.sampled_from([".txt", ".caption"])),
        "shuffle_tags": shuffle,
        "keep_tags": draw(some.integers(0, 9)) if shuffle else 0,
        "flip": draw(some.booleans()),
        "resolution": draw(some.lists(some.integers(2, 32).map(lambda n: n * 64), min_size=1, max_size=3, unique=True)),
    }  # fmt: skip
    return {
        "name": draw(some.from_regex(r"\A[xyz0-9][A-Za-z0-9_.-]{0,60}\Z")),
        "family": key, "engine": "kohya_ss", "base_model": "/m/base.safetensors",
        "components": {name: f"/m/{name}" for name in family.components},
        "trigger_word": draw(some.one_of(some.just(""), WORDS.map(str.strip))),
        "datasets": [pictures] * draw(some.integers(1, 2)),
        "network": {
            "rank": draw(some.integers(1, 99_999)), "alpha": draw(RATES),
            "dropout": draw(some.sampled_from([0.0, 0.25])),
        },
        "optimizer": {
            "name": draw(some.sampled_from(PLAIN)), "learning_rate": draw(RATES),
            "weight_decay": draw(some.floats(0, 1)), "scheduler": draw(some.sampled_from(CURVES)),
            "warmup_steps": draw(some.integers(0, 10_000)),
            "text_encoder_learning_rate": draw(RATES) if trains_text else None,
        },
        **draw(rest(cached, family.flow)),
    }  # fmt: skip


@some.composite
def rest(draw: Any, cached: bool, flow: bool) -> dict[str, Any]:
    """Length, memory and what else does not hang on the pictures."""
    return {
        "length": draw(some.sampled_from([{"steps": 1234}, {"epochs": 7}])),
        "batch": {"size": draw(some.integers(1, 1024)), "gradient_accumulation": draw(some.integers(1, 64))},
        "memory": {
            "cache_text": draw(some.sampled_from(["memory", "disk"])) if cached else "none",
            "cache_latents": draw(some.sampled_from(["none", "memory", "disk"])),
            "mixed_precision": draw(some.sampled_from(["no", "fp16", "bf16"])),
            "gradient_checkpointing": draw(some.booleans()),
        },
        "loss": {} if flow else {"min_snr_gamma": draw(some.one_of(some.none(), some.floats(0.5, 20)))},
        "saving": {"precision": draw(some.sampled_from(["fp16", "bf16", "fp32"]))},
        "sampling": {
            "prompts": draw(some.lists(WORDS.map(str.strip), max_size=3)),
            "seed": draw(some.integers(0, 2**31)),
        },
        "seed": draw(some.integers(0, 2**32 - 1)),
    }  # fmt: skip


def flat(text: str) -> dict[str, Any]:
    """The job TOML as sd-scripts reads it: by ``toml``, tables flattened by one level."""
    found: dict[str, Any] = {}
    for key, value in toml.loads(text).items():
        found.update(value if isinstance(value, dict) else {key: value})
    return found


def check(asked: JobSpec, config: dict[str, Any], pictures: dict[str, Any]) -> None:
    """Every field that was asked for, as the engine understood it."""
    chosen, memory = asked.optimizer, asked.memory
    assert config["output_name"] == asked.name
    assert config["network_dim"] == asked.network.rank
    assert config["network_alpha"] == asked.network.alpha
    assert (config.get("network_dropout") or 0) == asked.network.dropout
    assert config["optimizer_type"] == optimizer.NAMES[chosen.name]
    assert config["learning_rate"] == chosen.learning_rate
    assert config["lr_scheduler"] == optimizer.scheduler(chosen)
    assert (config.get("lr_warmup_steps") or 0) == chosen.warmup_steps
    text = chosen.text_encoder_learning_rate
    assert config.get("text_encoder_lr") == (None if text is None else [text])
    assert bool(config.get("network_train_unet_only")) == (text is None)
    assert f"weight_decay={chosen.weight_decay}" in config["optimizer_args"]
    if asked.length.epochs:
        assert config["max_train_epochs"] == asked.length.epochs
    else:
        assert config["max_train_steps"] == asked.length.steps
    assert (config.get("gradient_accumulation_steps") or 1) == asked.batch.gradient_accumulation
    assert config["mixed_precision"] == memory.mixed_precision
    assert bool(config.get("gradient_checkpointing")) == memory.gradient_checkpointing
    for key, word in (
        ("cache_latents", memory.cache_latents),
        ("cache_text_encoder_outputs", memory.cache_text),
    ):
        assert bool(config.get(key)) == (word != "none")
        assert bool(config.get(f"{key}_to_disk")) == (word == "disk")
    assert config.get("min_snr_gamma") == asked.loss.min_snr_gamma
    assert config["save_precision"] == SAVE_PRECISION[asked.saving.precision]
    assert config["seed"] == asked.seed
    check_pictures(asked, pictures)


def check_pictures(asked: JobSpec, pictures: dict[str, Any]) -> None:
    blocks = pictures["datasets"]
    edges = [
        b["resolution"][0] if isinstance(b["resolution"], list) else b["resolution"] for b in blocks
    ]
    assert edges == list(asked.datasets[0].resolution)
    for block in blocks:
        assert block["batch_size"] == asked.batch.size
        assert block["enable_bucket"] == asked.buckets.enabled
        for subset, dataset in zip(block["subsets"], asked.datasets, strict=True):
            assert subset["image_dir"] == dataset.path
            assert subset["num_repeats"] == dataset.repeats
            assert subset["caption_extension"] == dataset.caption_extension
            assert subset.get("shuffle_caption", False) == dataset.shuffle_tags
            assert subset.get("flip_aug", False) == dataset.flip
            assert subset.get("keep_tokens", 0) >= dataset.keep_tags
            if asked.trigger_word:
                assert subset["caption_prefix"] == f"{asked.trigger_word},"


@settings(max_examples=60, deadline=None)
@given(documents())
def test_what_was_asked_is_what_the_files_say(document):
    asked = JobSpec.model_validate(document)
    plan = ENGINE.plan(asked, SPACE)
    assert ENGINE.complaints(asked, plan.files, ENGINE.shipped_options()) == ()
    check(asked, flat(plan.files["config.toml"]), tomllib.loads(plan.files["dataset.toml"]))
    lines = plan.files.get("prompts.txt", "").splitlines()
    assert len(lines) == len(asked.sampling.prompts)
    for line, prompt in zip(lines, asked.sampling.prompts, strict=True):
        assert prompt in line
        assert f"--d {asked.sampling.seed}" in line


@pytest.mark.engine
@pytest.mark.slow
def test_the_engines_own_readers_understand_what_was_asked(tmp_path):
    home, python = os.environ.get("KOHYA_SS_DIR"), os.environ.get("KOHYA_SS_PYTHON")
    if not home or not python or not Path(home, "library").is_dir():
        pytest.skip("not set: KOHYA_SS_DIR, KOHYA_SS_PYTHON")
    specs: list[JobSpec] = []

    @settings(
        max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(documents())
    def draw(document: dict[str, Any]) -> None:
        specs.append(JobSpec.model_validate(document))

    draw()
    folders = [write(asked, tmp_path / str(number)) for number, asked in enumerate(specs)]
    # Away from its neighbours, which would stand before the standard library.
    reader = shutil.copy(READER, tmp_path)
    done = subprocess.run(
        [python, str(reader), *folders], cwd=home, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    read = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("READ ")]
    assert len(read) == len(specs), done.stderr[-2000:]
    for asked, found in zip(specs, read, strict=True):
        check(asked, found["config"], found["dataset"])


def write(asked: JobSpec, folder: Path) -> str:
    folder.mkdir()
    for name, text in ENGINE.plan(asked, SPACE).files.items():
        (folder / name).write_text(text, "utf-8")
    family = families.families()[asked.family].kohya
    assert family is not None
    (folder / "script.txt").write_text(family.script)
    return str(folder)
