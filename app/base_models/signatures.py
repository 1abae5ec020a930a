"""How a model's family shows in the names and shapes of its tensors.

The names are those under which the makers publish their weights; where two models share all names,
the width of a layer tells them apart. A family that is not here is "not recognised": nothing is
refused because of what nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]

PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "unet.", "net.", "model.")
"""What stands before the names of the network in files of several parts; the longest first."""

_FLUX = ("flux", "flux_kontext")
_QWEN = (
    "qwen_image", "qwen_image:2512", "qwen_image_edit", "qwen_image_edit_plus", "qwen_image_edit_plus:2511",
)  # fmt: skip
_ZIMAGE = ("zimage", "zimage:turbo", "zimage:deturbo", "zimage_l2p", "zeta_chroma")
"""Zeta Chroma is laid out like Z-Image, and as wide."""
_OMNIGEN = ("omnigen2", "boogu_image", "boogu_image_edit")
_LTX2 = ("ltx2", "ltx2.3", "ltx2.5")


@dataclass(frozen=True)
class Model:
    """A model's name for people, and the keys of the families that train it; none: nobody does."""

    label: str
    families: tuple[str, ...]


@dataclass(frozen=True)
class Signature:
    """``names`` must all be there, as given or at the start of a longer name where one ends in a dot."""

    names: tuple[str, ...]
    model: Callable[[Shapes], Model]


def _fixed(label: str, *families: str) -> Callable[[Shapes], Model]:
    model = Model(label, families)
    return lambda _shapes: model


def _width(shapes: Shapes, name: str, axis: int) -> int:
    shape = shapes.get(name, ())
    return shape[axis] if len(shape) > axis else 0


_SD_CONTEXT = (
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
)
_SD_MODELS = {
    768: Model("SD 1.x", ("sd15",)), 1024: Model("SD 2.x", ("sd2",)),
    2048: Model("SDXL", ("sdxl",)), 1280: Model("SDXL refiner", ()),
}  # fmt: skip
_FIRST_LAYERS = ("input_blocks.0.0.weight", "conv_in.weight")


def _stable_diffusion(shapes: Shapes) -> Model:
    """By the width of the text that its attention reads."""
    context = next((width for name in _SD_CONTEXT if (width := _width(shapes, name, 1))), 0)
    model = _SD_MODELS.get(context, Model("Stable Diffusion", ("sd15", "sd2", "sdxl")))
    if any(_width(shapes, name, 1) == 9 for name in _FIRST_LAYERS):
        return Model(f"{model.label} for inpainting", ())
    return model


def _flux2(shapes: Shapes) -> Model:
    width = _width(shapes, "img_in.weight", 0) or _width(shapes, "x_embedder.weight", 0)
    keys = {6144: "flux2", 3072: "flux2_klein_4b", 4096: "flux2_klein_9b"}
    names = {6144: "FLUX.2", 3072: "FLUX.2 klein 4B", 4096: "FLUX.2 klein 9B"}
    if width in keys:
        return Model(names[width], (keys[width],))
    return Model("FLUX.2", tuple(keys.values()))


def _lumina(shapes: Shapes) -> Model:
    """Z-Image took over Lumina 2's names; it is wider."""
    width = _width(shapes, "cap_embedder.1.weight", 0)
    if width == 2304:
        return Model("Lumina 2", ("lumina2",))
    if width == 3840:
        return Model("Z-Image", _ZIMAGE)
    return Model("Lumina 2 or Z-Image", ("lumina2", *_ZIMAGE))


def _wan(shapes: Shapes) -> Model:
    width = _width(shapes, "patch_embedding.weight", 0)
    takes = _width(shapes, "patch_embedding.weight", 1)
    if width == 1536:
        return Model("Wan 2.1 1.3B", ("wan21:1b",))
    if width == 3072:
        return Model("Wan 2.2 5B", ("wan22_5b",))
    if takes == 36:
        pictures = ("wan21_i2v:14b", "wan21_i2v:14b480p", "wan22_14b_i2v")
        return Model("Wan 14B, picture to video", pictures)
    if width == 5120 and takes == 16:
        return Model("Wan 14B, text to video", ("wan21:14b", "wan22_14b:t2v"))
    return Model("Wan", _WAN)


_WAN = (
    "wan21:1b", "wan21:14b", "wan21_i2v:14b", "wan21_i2v:14b480p", "wan22_14b:t2v", "wan22_14b_i2v", "wan22_5b",
)  # fmt: skip
_FLEX = ("flex1", "flex2")

NETWORKS: tuple[Signature, ...] = (
    Signature(("distilled_guidance_layer.", "double_blocks.0."), _fixed("Chroma", "chroma")),
    Signature(("distilled_guidance_layer.", "transformer_blocks.0."), _fixed("Chroma", "chroma")),
    Signature(("double_stream_modulation_img.",), _flux2),
    Signature(("byt5_in.", "double_blocks.0."), _fixed("HunyuanImage 2.1", "hunyuan_image")),
    Signature(("txt_in.individual_token_refiner.", "double_blocks.0."), _fixed("HunyuanVideo")),
    Signature(("double_blocks.0.img_attn.", "single_blocks.0."), _fixed("FLUX.1", *_FLUX, *_FLEX)),
    Signature(("single_transformer_blocks.0.", "transformer_blocks.0.attn.add_k_proj.weight",
               "x_embedder.weight"), _fixed("FLUX.1", *_FLUX, *_FLEX)),
    Signature(("joint_blocks.0.context_block.",), _fixed("SD 3 / 3.5", "sd3")),
    Signature(("transformer_blocks.0.attn.add_k_proj.weight", "pos_embed.pos_embed"), _fixed("SD 3 / 3.5", "sd3")),
    Signature(("double_stream_blocks.0.",), _fixed("HiDream", "hidream", "hidream_e1")),
    Signature(("ref_image_patch_embedder.", "context_refiner."), _fixed("OmniGen2 or its kin", *_OMNIGEN)),
    Signature(("cap_embedder.", "context_refiner.", "layers.0.attention."), _lumina),
    Signature(("time_caption_embed.", "context_refiner."), _fixed("Lumina 2 or OmniGen2", "lumina2", *_OMNIGEN)),
    Signature(("language_model.", "t_embedder1.", "x_embedder."), _fixed("HiDream O1", "hidream_o1")),
    Signature(("llm_adapter.", "blocks.0."), _fixed("Anima", "anima")),
    Signature(("txt_norm.weight", "transformer_blocks.0.img_mlp.", "transformer_blocks.0.txt_mlp."),
              _fixed("Qwen-Image", *_QWEN, "mageflow", "mageflow_edit")),
    Signature(("audio_patchify_proj.", "transformer_blocks.0."), _fixed("LTX-2", *_LTX2)),
    Signature(("audio_proj_in.", "transformer_blocks.0.audio_attn1."), _fixed("LTX-2", *_LTX2)),
    Signature(("patchify_proj.", "transformer_blocks.0."), _fixed("LTX-Video")),
    Signature(("patch_embedding.", "blocks.0.cross_attn."), _wan),
    Signature(("patch_embedding.", "condition_embedder.", "blocks.0.attn2."), _wan),
    Signature(("input_blocks.0.0.weight", "middle_block."), _stable_diffusion),
    Signature(("down_blocks.0.", "mid_block.", "conv_in.weight", "time_embedding."), _stable_diffusion),
)  # fmt: skip
"""The first that fits counts; the more particular stand first."""

KIN: Mapping[str, str] = {
    "sdxl": "SDXL itself, or a model made from it, such as Pony, Illustrious or NoobAI: they have the same tensors.",
    "sd15": "SD 1.4, 1.5, or a model made from them: they have the same tensors.",
}
"""Of one family, yet more than one model."""

PIPELINES: Mapping[str, Model] = {
    "StableDiffusionPipeline": Model("Stable Diffusion", ("sd15", "sd2")),
    "StableDiffusionXLPipeline": Model("SDXL", ("sdxl",)),
    "StableDiffusion3Pipeline": Model("SD 3 / 3.5", ("sd3",)),
    "FluxPipeline": Model("FLUX.1", (*_FLUX, *_FLEX)),
    "FluxKontextPipeline": Model("FLUX.1 Kontext", _FLUX),
    "Flux2Pipeline": Model("FLUX.2", ("flux2",)),
    "Flux2KleinPipeline": Model("FLUX.2 klein", ("flux2_klein_4b", "flux2_klein_9b")),
    "ChromaPipeline": Model("Chroma", ("chroma",)),
    "Lumina2Pipeline": Model("Lumina 2", ("lumina2",)),
    "QwenImagePipeline": Model("Qwen-Image", _QWEN),
    "QwenImageEditPipeline": Model("Qwen-Image-Edit", _QWEN),
    "QwenImageEditPlusPipeline": Model("Qwen-Image-Edit", _QWEN),
    "ZImagePipeline": Model("Z-Image", _ZIMAGE),
    "WanPipeline": Model("Wan", _WAN),
    "WanImageToVideoPipeline": Model("Wan, picture to video", _WAN),
    "HiDreamImagePipeline": Model("HiDream", ("hidream", "hidream_e1")),
    "OmniGen2Pipeline": Model("OmniGen2", _OMNIGEN),
    "LTX2Pipeline": Model("LTX-2", _LTX2),
}
"""By ``_class_name`` in a diffusers folder's model_index.json."""
