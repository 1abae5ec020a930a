"""Random documents that ai-toolkit can be given: every field of the spec, for every family."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as some

from engines import families
from engines.ai_toolkit import AiToolkit
from engines.ai_toolkit.draft import place
from engines.ai_toolkit.model import TIMESTEPS, components, is_guided
from engines.ai_toolkit.network import takes_convolutions
from engines.ai_toolkit.optimizer import ARGUMENTS, NAMES
from engines.families import AiToolkitFamily, Family

FAMILIES = sorted(AiToolkit().families())
RATES = some.floats(min_value=1e-8, max_value=10, allow_nan=False)
SHARES = some.floats(0, 1)
MARKS = ("${", "--", "[name]", "[", "]", "*", "?")
WORDS = some.text(
    some.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60
).filter(lambda text: not any(mark in text for mark in MARKS))
PATHS = WORDS.map(lambda word: f"/data/{word}")
NAMED = some.from_regex(r"\A[xyz0-9][A-Za-z0-9_.-]{0,79}\Z")
QUANTISED = ("none", "qfloat8", "float8", "uint8", "uint4", "uint3", "convrot8", "nvfp4")


@some.composite
def documents(draw, key: str = "") -> dict[str, Any]:
    """A document with every section filled in, as far as its family goes; any, or that of ``key``.

    Those that take fields which most do not (convolutions, noise offset, guidance) come up more often.
    """
    few = some.sampled_from(("sd15", "sdxl", "flux"))
    family = families.families()[key or draw(some.sampled_from(FAMILIES) | few)]
    engine = family.ai_toolkit
    assert engine is not None
    prompts = draw(some.lists(WORDS, max_size=3))
    may_cache = engine.draws_with_cached_captions or not prompts
    cached = draw(some.booleans()) if may_cache else False
    datasets = draw(some.lists(_datasets(fixed=cached), min_size=1, max_size=3))
    return {
        "name": draw(NAMED), "family": family.key, "base_model": draw(PATHS),
        "trigger_word": draw(WORDS), "datasets": datasets, "components": draw(_parts(engine)),
        "buckets": {"enabled": family.video or draw(some.booleans())},
        "network": draw(_networks(engine)), "optimizer": draw(_optimizers(engine, cached=cached)),
        "memory": draw(_memories(engine, cached=cached)), "loss": draw(_losses(engine)),
        **draw(_runs(prompts)),
        "engine_options": {"ai-toolkit": draw(_native(family, len(datasets), len(prompts)))},
    }  # fmt: skip


@some.composite
def _runs(draw, prompts: list[str]) -> dict[str, Any]:
    """How long, how fast, and what is written on the way."""
    sizes = some.integers(16, 8192)
    return {
        "length": {draw(some.sampled_from(["steps", "epochs"])): draw(some.integers(1, 9999))},
        "batch": {"size": draw(some.integers(1, 1024)),
                  "gradient_accumulation": draw(some.integers(1, 1024))},
        "ema": {"enabled": draw(some.booleans()), "decay": draw(some.floats(0.1, 0.9999))},
        "saving": {"every_steps": draw(some.integers(1, 10**6)), "keep": draw(some.integers(1, 1000)),
                   "precision": draw(some.sampled_from(["fp16", "bf16", "fp32"]))},
        "sampling": {
            "prompts": prompts, "seed": draw(some.integers(0, 2**40)), "width": draw(sizes),
            "height": draw(sizes), "steps": draw(some.integers(1, 1000)),
            "every_steps": draw(some.integers(1, 10**6)), "guidance": draw(some.floats(0, 100)),
        },
        "resume": draw(some.sampled_from(["auto", {"from": "/loras/a.safetensors"}])),
        "seed": draw(some.integers(0, 2**32 - 1)),
    }  # fmt: skip


@some.composite
def _parts(draw, engine: AiToolkitFamily) -> dict[str, str]:
    """Some of the files that may be named; two names of one key are not both given."""
    names = [part for part in components(engine.arch) if part != "gemma2"]
    return {part: draw(PATHS) for part in names if draw(some.booleans())}


@some.composite
def _datasets(draw, *, fixed: bool) -> dict[str, Any]:
    """``fixed``: captions are cached, so none may change."""
    shuffled = not fixed and draw(some.booleans())
    return {
        "path": draw(PATHS), "repeats": draw(some.integers(1, 10_000)),
        "caption_extension": draw(some.sampled_from([".txt", ".caption"])),
        "caption_dropout": 0.0 if fixed else draw(SHARES), "shuffle_tags": shuffled,
        "keep_tags": 0 if shuffled else draw(some.integers(0, 255)), "flip": draw(some.booleans()),
        "regularisation": draw(some.booleans()),
        "resolution": draw(some.lists(some.integers(16, 8192), min_size=1, max_size=3)),
    }  # fmt: skip


@some.composite
def _networks(draw, engine: AiToolkitFamily) -> dict[str, Any]:
    convolutions = takes_convolutions(engine)
    kind = draw(some.sampled_from(["lora", "lokr", "locon"] if convolutions else ["lora", "lokr"]))
    rank = draw(some.integers(1, 99_999))
    network = {
        "type": kind, "rank": rank, "alpha": draw(RATES) if engine.scales_by_alpha else rank,
        "dropout": 0.0 if kind == "lokr" else draw(some.floats(0, 0.99)),
    }  # fmt: skip
    if kind == "locon" or (convolutions and draw(some.booleans())):
        network |= {"conv_rank": draw(some.integers(1, 999)), "conv_alpha": draw(RATES)}
    return network


@some.composite
def _optimizers(draw, engine: AiToolkitFamily, *, cached: bool) -> dict[str, Any]:
    name = draw(some.sampled_from(sorted(NAMES)))
    own = name.startswith("prodigy")
    rate = draw(some.floats(0.1, 10) if own else RATES)
    scheduler = draw(some.sampled_from(["constant", "constant_with_warmup", "cosine", "linear"]))
    trains_text = engine.arch in ("sd15", "sdxl") and not cached and draw(some.booleans())
    return {
        "name": name, "learning_rate": rate, "weight_decay": draw(SHARES), "scheduler": scheduler,
        "warmup_steps": draw(some.integers(0, 999)) if scheduler.startswith("constant") else 0,
        "arguments": {"betas": [0.9, draw(SHARES)]} if "betas" in ARGUMENTS[NAMES[name]] else {},
        "text_encoder_learning_rate": rate if trains_text else None,
    }  # fmt: skip


@some.composite
def _memories(draw, engine: AiToolkitFamily, *, cached: bool) -> dict[str, Any]:
    quantises = "model.quantize" not in engine.disabled
    offloads = "model.layer_offloading" in engine.extra
    return {
        "mixed_precision": draw(some.sampled_from(["no", "fp16", "bf16", "fp32"])),
        "quantize": draw(some.sampled_from(QUANTISED)) if quantises else "none",
        "gradient_checkpointing": draw(some.booleans()),
        "cache_latents": draw(some.sampled_from(["none", "memory", "disk"])),
        "cache_text": "disk" if cached else "none",
        "offload": draw(SHARES) if offloads else 0.0,
    }


@some.composite
def _losses(draw, engine: AiToolkitFamily) -> dict[str, Any]:
    if not engine.flow:
        return {"min_snr_gamma": draw(RATES), "noise_offset": draw(SHARES)}
    loss: dict[str, Any] = {"timestep_sampling": draw(some.sampled_from(TIMESTEPS))}
    return loss | ({"guidance": draw(some.floats(0, 9))} if is_guided(engine) else {})


@some.composite
def _native(draw, family: Family, datasets: int, prompts: int) -> dict[str, Any]:
    """Keys without a field: one of everybody's, and those that the family's form adds."""
    options: dict[str, Any] = {"train": {"weight_jitter": draw(RATES)}}
    values = {
        "path": PATHS, "text": WORDS, "integer": some.integers(1, 200), "number": SHARES,
        "switch": some.booleans(),
    }  # fmt: skip
    places = {"datasets": datasets, "sample.samples": prompts}
    for item in family.inputs:
        group, inner, key = item.path.rpartition("[].")
        if not inner:
            place(options, item.path, draw(values[item.kind]))
            continue
        for number in range(places[group]):
            place(options, f"{group}[{number}].{key}", draw(values[item.kind]))
    return options
