"""The covering set: few runs that together ask each engine for everything it can do.

A case is written for both families; ``for_family`` adds what only one of them has.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

WIDE, SQUARE, TALL = (3, 2), (2, 2), (2, 3)
UNIT = 64
"""Pixels of one unit of a shape: a square picture has the area that is trained at."""

ONE, TWO, CLASS = (WIDE, SQUARE, TALL), (SQUARE, TALL), (SQUARE, WIDE)
"""The pictures of three folders, by shape."""


@dataclass(frozen=True)
class Case:
    """One run: ``spec`` is laid over the desk's small job, ``folders`` over its datasets in order."""

    name: str
    engine: str
    spec: dict[str, Any]
    folders: tuple[tuple[tuple[tuple[int, int], ...], dict[str, Any]], ...] = ((ONE, {}),)
    sdxl: dict[str, Any] = field(default_factory=dict)

    def changes(self, family: str, pictures: tuple[str, ...]) -> dict[str, Any]:
        """The spec's fields, with these folders of pictures."""
        found = deepcopy({**self.spec, **(self.sdxl if family == "sdxl" else {})})
        found["datasets"] = [
            {"path": path, "resolution": [2 * UNIT], **settings}
            for path, (_, settings) in zip(pictures, self.folders, strict=True)
        ]
        return found


def draw(source: Path, folder: Path, shapes: tuple[tuple[int, int], ...]) -> str:
    """Pictures of these shapes, made from those in ``source``, each with a caption of four tags."""
    folder.mkdir()
    originals = sorted(source.glob("*.png"))
    for place, (width, height) in enumerate(shapes):
        with Image.open(originals[place % len(originals)]) as original:
            picture = original.convert("RGB").resize((width * UNIT, height * UNIT))
        picture.save(folder / f"{place}.png")
        caption = originals[place % len(originals)].with_suffix(".txt").read_text().strip()
        (folder / f"{place}.txt").write_text(f"{caption}, still life, studio light, {place} left")
    return str(folder)


NO_SAMPLES: dict[str, Any] = {"prompts": []}
PLAIN: dict[str, Any] = {"mixed_precision": "no", "gradient_checkpointing": False}
REGULAR = (CLASS, {"regularisation": True})

KOHYA = (
    Case(
        "lora-adamw-uncached-te-snr", "kohya_ss",
        {
            "network": {"type": "lora", "rank": 4, "alpha": 2, "dropout": 0.1},
            "optimizer": {"name": "adamw", "learning_rate": 1e-4, "text_encoder_learning_rate": 5e-5,
                          "weight_decay": 0.02, "arguments": {"eps": 1e-7}, "scheduler": "cosine",
                          "warmup_steps": 2},
            "batch": {"gradient_accumulation": 2},
            "memory": {**PLAIN, "cache_latents": "none"},
            "loss": {"min_snr_gamma": 5, "noise_offset": 0.05},
            "length": {"epochs": 1}, "seed": 7,
        },
        folders=((ONE, {"repeats": 2, "shuffle_tags": True, "keep_tags": 1, "caption_dropout": 0.1}),
                 (TWO, {"repeats": 3, "flip": True})),
    ),
    Case(
        "locon-prodigy-memory-reg", "kohya_ss",
        {
            "network": {"type": "locon", "rank": 4, "alpha": 4, "conv_rank": 2, "conv_alpha": 1},
            "optimizer": {"name": "prodigy", "learning_rate": 1.0, "arguments": {"d_coef": 2.0}},
            "memory": {**PLAIN, "gradient_checkpointing": True, "cache_latents": "memory"},
            "length": {"steps": 6}, "saving": {"every_steps": 100, "precision": "fp32"},
            "sampling": NO_SAMPLES,
        },
        folders=((ONE, {}), REGULAR),
        sdxl={"memory": {**PLAIN, "gradient_checkpointing": True, "cache_latents": "memory",
                         "cache_text": "memory"}},
    ),
    Case(
        "lokr-adamw-disk-te-snr", "kohya_ss",
        {
            "network": {"type": "lokr", "rank": 2, "alpha": 1},
            "optimizer": {"name": "adamw", "learning_rate": 1e-3, "text_encoder_learning_rate": 5e-4,
                          "scheduler": "linear"},
            "batch": {"size": 2},
            "memory": {**PLAIN, "cache_latents": "disk"},
            "loss": {"min_snr_gamma": 1},
            "length": {"epochs": 2}, "sampling": NO_SAMPLES,
        },
        folders=((ONE, {"repeats": 2}), (TWO, {"repeats": 1})),
    ),
    Case(
        "loha-prodigy-memory-te-conv", "kohya_ss",
        {
            "network": {"type": "loha", "rank": 4, "alpha": 4, "conv_rank": 2, "conv_alpha": 1},
            "optimizer": {"name": "prodigy", "learning_rate": 1.0, "text_encoder_learning_rate": 1.0},
            "memory": {**PLAIN, "cache_latents": "memory"},
            "length": {"epochs": 1}, "saving": {"every_steps": 100, "precision": "fp32"},
            "sampling": NO_SAMPLES,
        },
        folders=((ONE, {"resolution": [128, 192]}),),
    ),
    Case(
        "dora-adamw-disk-square", "kohya_ss",
        {
            "network": {"type": "dora", "rank": 4, "alpha": 4},
            "optimizer": {"name": "adamw", "learning_rate": 1e-3, "scheduler": "constant",
                          "warmup_steps": 2},
            "buckets": {"enabled": False},
            "memory": {**PLAIN, "mixed_precision": "bf16", "cache_latents": "disk"},
            "length": {"epochs": 2},
        },
        sdxl={"memory": {**PLAIN, "mixed_precision": "bf16", "cache_latents": "disk",
                         "cache_text": "disk"}},
    ),
)  # fmt: skip

AITK = (
    Case(
        "lora-adamw-uncached-te-snr", "ai-toolkit",
        {
            "network": {"type": "lora", "rank": 4, "alpha": 2, "dropout": 0.1},
            "optimizer": {"name": "adamw", "learning_rate": 1e-4, "text_encoder_learning_rate": 1e-4,
                          "weight_decay": 0.02, "arguments": {"betas": [0.9, 0.98]},
                          "scheduler": "constant", "warmup_steps": 2},
            "batch": {"gradient_accumulation": 2},
            "memory": {**PLAIN, "cache_latents": "none"},
            "loss": {"min_snr_gamma": 5, "noise_offset": 0.05},
            "length": {"epochs": 1}, "seed": 7,
        },
        folders=((ONE, {"repeats": 2, "shuffle_tags": True, "caption_dropout": 0.1}),
                 (TWO, {"repeats": 3, "flip": True})),
    ),
    Case(
        "locon-prodigy-memory-ema-reg", "ai-toolkit",
        {
            "network": {"type": "locon", "rank": 4, "alpha": 4, "conv_rank": 2, "conv_alpha": 1},
            "optimizer": {"name": "prodigy", "learning_rate": 1.0, "arguments": {"d_coef": 2.0}},
            "memory": {**PLAIN, "gradient_checkpointing": True, "cache_latents": "memory"},
            "ema": {"enabled": True, "decay": 0.9},
            "length": {"steps": 8}, "saving": {"every_steps": 100, "precision": "fp32"},
            "sampling": NO_SAMPLES,
        },
        folders=((ONE, {}), REGULAR),
    ),
    Case(
        "lokr-adamw-disk-text-snr", "ai-toolkit",
        {
            "network": {"type": "lokr", "rank": 2, "alpha": 1},
            "optimizer": {"name": "adamw", "learning_rate": 1e-3, "scheduler": "linear"},
            "batch": {"size": 2},
            "memory": {**PLAIN, "cache_latents": "disk", "cache_text": "disk"},
            "loss": {"min_snr_gamma": 1},
            "ema": {"enabled": True, "decay": 0.5},
            "length": {"epochs": 2}, "sampling": NO_SAMPLES,
        },
        folders=((ONE, {"repeats": 2}), (TWO, {"repeats": 1})),
    ),
    Case(
        "lora-prodigy-disk-square", "ai-toolkit",
        {
            "network": {"type": "lora", "rank": 2, "alpha": 1},
            "optimizer": {"name": "prodigy", "learning_rate": 1.0, "scheduler": "cosine"},
            "buckets": {"enabled": False},
            "memory": {**PLAIN, "mixed_precision": "bf16", "cache_latents": "disk"},
            "length": {"steps": 6}, "saving": {"every_steps": 3, "precision": "bf16"},
        },
        folders=((ONE, {"resolution": [96, 128]}),),
    ),
)  # fmt: skip
