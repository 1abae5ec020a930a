"""What a single file or a diffusers folder is, told from names and shapes alone.

Only the header of a safetensors file is read. A pickle (.ckpt, .pt, .bin) can run code when it is
opened, so it is never looked into.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.artifacts.safetensors import Header, TornSafetensorsError, read_header
from app.base_models.cache import read_json
from app.base_models.signatures import (
    KIN,
    NETWORKS,
    PIPELINES,
    PREFIXES,
    Model,
    Shapes,
    Signature,
)
from engines import families

Kind = Literal[
    "model", "lora", "vae", "text encoder", "control", "part", "pickle", "gguf", "unknown", "broken"
]

LARGEST_HEADER = 32 << 20
"""The largest published models have headers of 1 MB; a larger one is no model's."""
_PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_LORA = (
    "lora_down",
    "lora_up",
    "lora_A",
    "lora_B",
    "hada_w1",
    "hada_w2",
    "lokr_w1",
    "lokr_w2",
    "oft_blocks",
    "oft_diag",
)
_PRECISIONS = {
    "F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8",
    "I8": "int8", "U8": "4 or 8 bit",
}  # fmt: skip
_CONTROL = (
    "control_model.",
    "controlnet_",
    "input_hint_block.",
    "controlnet_blocks.",
    "zero_convs.",
    "ip_adapter.",
)
_VAE = ("decoder.conv_in.", "decoder.conv1.", "decoder.mid.", "decoder.mid_block.")
_TEXT = (
    "text_model.encoder.layers.0.", "encoder.block.0.layer.0.SelfAttention.", "model.layers.0.self_attn.",
    "language_model.layers.0.", "model.language_model.", "layers.0.self_attn.", "shared.weight",
)  # fmt: skip
_WHOLE = ("cond_stage_model.", "conditioner.", "first_stage_model.", "text_encoders.", "vae.")
"""Parts that come with the network in a checkpoint of everything."""


@dataclass(frozen=True)
class Recognised:
    """``families`` are the keys that it can train; empty where they are not known, or are none."""

    kind: Kind
    label: str = ""
    families: tuple[str, ...] = ()
    precision: str = ""
    rank: int | None = None
    whole: bool = False
    """A checkpoint with its text encoders or VAE, not the network alone."""
    problem: str = ""

    @property
    def says(self) -> str:
        """One sentence for a person."""
        if self.kind == "broken":
            return self.problem
        if self.kind == "lora":
            return (
                f"This is a LoRA{f' of rank {self.rank}' if self.rank else ''}, not a base model."
            )
        if self.kind in ("vae", "text encoder", "control", "part"):
            names = {
                "vae": "a VAE",
                "text encoder": "a text encoder",
                "control": "a control net",
                "part": self.label,
            }
            return f"This is {names[self.kind]}, not a base model."
        if self.kind == "pickle":
            return "A pickle: it cannot be looked into safely, because opening it may run code."
        if self.kind == "gguf":
            return "A GGUF file: quantised for inference; neither engine trains from it."
        if self.kind == "unknown":
            what = (
                f"a diffusers folder of {self.label}"
                if self.label
                else "no known model looks like this"
            )
            return f"Not recognised: {what}."
        return self._kin()

    def _kin(self) -> str:
        """Of a model: what else has the same tensors, so that nobody takes the label for certain."""
        if len(self.families) > 1:
            known = families.families()
            names = [known[key].label if key in known else key for key in self.families]
            return (
                f"One of {', '.join(names[:-1])} or {names[-1]}: their tensors have the same names "
                "and shapes, so the file cannot tell which. Choose the one it was published as."
            )
        return KIN.get(self.families[0], "") if self.families else ""


def recognise(path: Path) -> Recognised:
    """What lies there. Never raises for what is wrong with the file."""
    try:
        return examine(path)
    except OSError as error:
        why = error.strerror or error
        return Recognised("broken", problem=f"{path.name} cannot be read: {why}.")


def examine(path: Path) -> Recognised:
    """The same; raises OSError where the disk does not give the file, which says nothing of it."""
    try:
        if path.is_dir():
            return _folder(path)
        if path.suffix in (".safetensors", ".sft"):
            return of_header(_header(path))
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return Recognised("gguf", precision="quantised")
    except TornSafetensorsError as error:
        return Recognised("broken", problem=str(error))
    except ValueError as error:
        return Recognised("broken", problem=f"{path.name} cannot be read: {error}.")
    return Recognised("pickle" if path.suffix in _PICKLES else "unknown")


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        start = file.read(8)
    if len(start) == 8 and struct.unpack("<Q", start)[0] > LARGEST_HEADER:
        raise TornSafetensorsError(f"{path.name} has a header that is too large to be a model's.")
    return read_header(path)


def of_header(header: Header) -> Recognised:
    """What the tensors are."""
    names = list(header.tensors)
    precision = _precision(header)
    if _share(names, _LORA) >= 0.4:
        return Recognised("lora", "LoRA", precision=precision, rank=header.rank)
    if any(name.startswith(_CONTROL) for name in names):
        return Recognised("control", "control net", precision=precision)
    shapes = {name: shape for name, (_, shape, _) in header.tensors.items()}
    model = _network(shapes)
    if model is not None:
        whole = any(name.startswith(_WHOLE) for name in names)
        return Recognised("model", model.label, model.families, precision, whole=whole)
    if any(name.startswith(_VAE) for name in names):
        return Recognised("vae", "VAE", precision=precision)
    if any(name.startswith(_TEXT) for name in names):
        return Recognised("text encoder", "text encoder", precision=precision)
    if len(names) <= 2 and {"emb_params", "clip_l", "clip_g"} & set(names):
        return Recognised("part", "a textual inversion", precision=precision)
    return Recognised("unknown", precision=precision)


def _share(names: list[str], marks: Iterable[str]) -> float:
    """How many of the names bear one of the marks; alphas and scales go with them."""
    counted = [name for name in names if not name.endswith((".alpha", ".dora_scale", ".diff_b"))]
    found = sum(any(mark in name for mark in marks) for name in counted)
    return found / len(counted) if counted else 0.0


def _network(shapes: Shapes) -> Model | None:
    for prefix in (*PREFIXES, ""):
        inner = {k[len(prefix) :]: v for k, v in shapes.items() if k.startswith(prefix)}
        if not inner:
            continue
        for signature in NETWORKS:
            if _fits(signature, inner):
                return signature.model(inner)
    return None


def _fits(signature: Signature, shapes: Shapes) -> bool:
    return all(
        any(name.startswith(wanted) for name in shapes)
        if wanted.endswith(".")
        else wanted in shapes
        for wanted in signature.names
    )


def _precision(header: Header) -> str:
    """The one most of its bytes have; 4-bit formats show by the names beside the numbers."""
    names = header.tensors
    for mark, word in (("bitsandbytes__nf4", "nf4"), ("bitsandbytes__fp4", "fp4")):
        if any(mark in name for name in names):
            return word
    counted: dict[str, int] = {}
    for dtype, _, (start, end) in names.values():
        counted[dtype] = counted.get(dtype, 0) + end - start
    if not counted:
        return ""
    most = max(counted, key=lambda dtype: counted[dtype])
    word = _PRECISIONS.get(most, most.lower())
    scaled = word == "fp8" and any(n.endswith(("scale_weight", "weight_scale")) for n in names)
    return "fp8, scaled" if scaled else word


def _folder(path: Path) -> Recognised:
    index = path / "model_index.json"
    if not index.is_file():
        return Recognised("unknown")
    if index.stat().st_size > LARGEST_HEADER:
        return Recognised("broken", problem="Its model_index.json is too large to be one.")
    data = read_json(index)
    name = str(data.get("_class_name", "")) if isinstance(data, Mapping) else ""
    model = PIPELINES.get(name)
    if model is None:
        return Recognised("unknown", name.removesuffix("Pipeline"), whole=True)
    if model.families == ("sd15", "sd2"):
        model = _sd_of_folder(path) or model
    return Recognised("model", model.label, model.families, _folder_precision(path), whole=True)


def _sd_of_folder(path: Path) -> Model | None:
    """SD 1.x and 2.x have one pipeline; the U-Net's width of text tells."""
    try:
        config = read_json(path / "unet" / "config.json")
        width = config["cross_attention_dim"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = {768: Model("SD 1.x", ("sd15",)), 1024: Model("SD 2.x", ("sd2",))}
    return known.get(width) if isinstance(width, int) else None


def _folder_precision(path: Path) -> str:
    for part in ("transformer", "unet"):
        for file in sorted((path / part).glob("*.safetensors"))[:1]:
            try:
                return _precision(_header(file))
            except (OSError, ValueError):
                return ""  # a torn part is told by the check of the folder
    return ""


def misfit(found: Recognised, family: str, name: str) -> str:
    """Why it is no base model of that family; empty where it is one, or nobody can tell."""
    if found.kind == "lora":
        rank = f" of rank {found.rank}" if found.rank else ""
        return f"{name} is a LoRA{rank}, not a base model. Name the model that it was trained on."
    if found.kind in ("vae", "text encoder", "control", "part"):
        what = found.says.removeprefix("This is ").split(",")[0]
        return f"{name} is {what}, not a base model. Name the model itself here."
    if found.kind == "gguf":
        return (
            f"{name} is a GGUF file, which neither engine trains from. Name the original weights."
        )
    if found.kind == "broken":
        return f"{found.problem} Download it again."
    if found.kind == "model" and found.label and not found.families:
        return f"{name} is {found.label}, which neither engine trains LoRAs for."
    if found.families and family not in found.families:
        return f"{name} is {found.label}, not of the family {family}. Choose {_or(found.families)}, or another model."
    return ""


def _or(families: tuple[str, ...]) -> str:
    shown = families[:3]
    return (
        f"the family {shown[0]}" if len(shown) == 1 else f"one of the families {', '.join(shown)}"
    )
