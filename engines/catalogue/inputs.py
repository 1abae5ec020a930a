"""What some families take beside the canonical fields: control pictures, frames, sound.

They have no field of their own, since no other engine knows them; they stand in the engine options
by ai-toolkit's own keys. Source: ``ui/src/app/jobs/new/options.tsx`` and ``toolkit/config_modules.py``
of ai-toolkit 27a03a91; the names on the left are those of its form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["path", "integer", "number", "switch", "text"]


@dataclass(frozen=True)
class FamilyInput:
    """One further input: ``path`` is the native key under ``config.process[0]``.

    ``datasets[].`` stands for each dataset, ``sample.samples[].`` for each prompt. ``default`` is
    what ai-toolkit's own form sets. ``required``: the family makes no sense without it.
    """

    path: str
    title: str
    help: str
    kind: Kind
    default: Any = None
    required: bool = False
    unit: str = ""


_CONTROL = "Folder with pictures of the same names that the model is to change into these."
_SEVERAL = tuple(
    FamilyInput(
        f"datasets[].control_path_{number}", f"Control pictures {number}",
        _CONTROL if number == 1 else "Another folder of control pictures, by the same names.", "path",
    )
    for number in (1, 2, 3)
)  # fmt: skip
_DRAWN = "Control picture for this prompt's sample."

_INPUTS: Mapping[str, tuple[FamilyInput, ...]] = {
    "datasets.control_path": (
        FamilyInput("datasets[].control_path", "Control pictures", _CONTROL, "path"),
    ),
    "datasets.multi_control_paths": _SEVERAL,
    "sample.ctrl_img": (
        FamilyInput("sample.samples[].ctrl_img", "Control picture", _DRAWN, "path"),
    ),
    "sample.multi_ctrl_imgs": tuple(
        FamilyInput(f"sample.samples[].ctrl_img_{number}", f"Control picture {number}", _DRAWN, "path")
        for number in (1, 2, 3)
    ),
    "datasets.num_frames": (
        FamilyInput(
            "datasets[].num_frames", "Frames",
            "Frames taken of each clip; 1 trains on pictures.", "integer", 1, unit="frames",
        ),
        FamilyInput(
            "datasets[].fps", "Frame rate", "Rate at which frames are taken of a clip.", "integer",
            unit="frames/s",
        ),
        FamilyInput(
            "sample.num_frames", "Sample frames", "Frames of each sample.", "integer", unit="frames"
        ),
        FamilyInput(
            "sample.fps", "Sample frame rate", "Rate at which samples play.", "integer",
            unit="frames/s",
        ),
    ),
    "datasets.auto_frame_count": (
        FamilyInput(
            "datasets[].auto_frame_count", "All frames",
            "Take as many frames as each clip has at the frame rate.", "switch", False,
        ),
    ),
    "datasets.do_i2v": (
        FamilyInput(
            "datasets[].do_i2v", "Image to video", "Train to go on from a clip's first frame.",
            "switch", False,
        ),
    ),
    "datasets.do_audio": (
        FamilyInput("datasets[].do_audio", "Sound", "Train on the clips' sound too.", "switch", False),
    ),
    "datasets.audio_normalize": (
        FamilyInput(
            "datasets[].audio_normalize", "Even loudness", "Bring all clips to one loudness.",
            "switch", False,
        ),
    ),
    "datasets.audio_preserve_pitch": (
        FamilyInput(
            "datasets[].audio_preserve_pitch", "Keep pitch",
            "Stretch sound to the frames without changing its pitch.", "switch", False,
        ),
    ),
    "train.audio_loss_multiplier": (
        FamilyInput(
            "train.audio_loss_multiplier", "Weight of sound", "How much sound counts in the loss.",
            "number", 1.0,
        ),
    ),
    "model.low_vram": (
        FamilyInput(
            "model.low_vram", "Low VRAM", "Prepares the model in main memory; slower to start.",
            "switch", False,
        ),
    ),
    "model.assistant_lora_path": (
        FamilyInput(
            "model.assistant_lora_path", "Training adapter",
            "Adapter that undoes the distillation while training.", "text",
        ),
    ),
    "model.unconditional_lora_path": (
        FamilyInput(
            "model.unconditional_lora_path", "Unconditional LoRA",
            "LoRA of the unconditional side of the model.", "text",
        ),
    ),
    "model.multistage": (
        FamilyInput(
            "model.model_kwargs.train_high_noise", "High noise stage", "Train the first of two experts.",
            "switch", True,
        ),
        FamilyInput(
            "model.model_kwargs.train_low_noise", "Low noise stage", "Train the second of two experts.",
            "switch", True,
        ),
    ),
    "model.qie.match_target_res": (
        FamilyInput(
            "model.model_kwargs.match_target_res", "Match resolution",
            "Scale control pictures to the size of the target.", "switch", False,
        ),
    ),
    "model.model_kwargs.kv_cache": (
        FamilyInput(
            "model.model_kwargs.kv_cache", "Cache keys", "Encode control pictures once for each sample.",
            "switch", False,
        ),
    ),
}  # fmt: skip

_DRAWS_FROM_PICTURES = frozenset(
    ("flux_kontext", "hidream_e1", "wan21_i2v", "qwen_image_edit", "qwen_image_edit_plus",
     "boogu_image_edit")
)  # fmt: skip
"""Archs that end the run at the first sample without a control picture (read in their source)."""


def inputs_of(
    arch: str, extra: Iterable[str], defaults: Mapping[str, Any], *, edits: bool
) -> tuple[FamilyInput, ...]:
    """The inputs of a family, from the extra fields and defaults of ai-toolkit's form.

    ``edits``: it learns to change pictures, so it needs the ones to be changed. One of several
    pictures is enough, so the first is required.
    """
    wanted = set(extra)
    found = [item for name, items in _INPUTS.items() if name in wanted for item in items]
    needed = (
        {next((item.path for item in found if "control_path" in item.path), "")} if edits else set()
    )
    if arch in _DRAWS_FROM_PICTURES:
        needed.add(next((item.path for item in found if "ctrl_img" in item.path), ""))
    return tuple(
        replace(
            item,
            default=_default(item, defaults),
            required=item.path in needed,
        )
        for item in found
    )


def _default(item: FamilyInput, defaults: Mapping[str, Any]) -> Any:
    section, _, key = item.path.rpartition(".")
    inner = defaults.get(section)
    if isinstance(inner, Mapping) and key in inner:
        return inner[key]
    return defaults.get(item.path, item.default)
