"""Headers of published models in small: names and shapes, with hardly any numbers behind them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

SD = "model.diffusion_model."
SHAPES = {
    "sd15": {f"{SD}input_blocks.0.0.weight": [320, 4, 3, 3], f"{SD}middle_block.0.in_layers.0.weight": [1],
             f"{SD}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [1, 768],
             "cond_stage_model.transformer.text_model.encoder.layers.0.layer_norm1.weight": [1]},
    "sd2": {f"{SD}input_blocks.0.0.weight": [320, 4, 3, 3], f"{SD}middle_block.0.in_layers.0.weight": [1],
            f"{SD}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [1, 1024]},
    "sdxl": {f"{SD}input_blocks.0.0.weight": [320, 4, 3, 3], f"{SD}middle_block.0.in_layers.0.weight": [1],
             f"{SD}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": [1, 2048],
             "conditioner.embedders.1.model.ln_final.weight": [1]},
    "sd3": {f"{SD}joint_blocks.0.context_block.attn.qkv.weight": [1]},
    "flux": {"double_blocks.0.img_attn.proj.weight": [1], "single_blocks.0.linear1.weight": [1]},
    "chroma": {"distilled_guidance_layer.in_proj.weight": [1], "double_blocks.0.img_attn.proj.weight": [1]},
    "flux2": {"double_stream_modulation_img.lin.weight": [1], "img_in.weight": [6144, 1]},
    "flux2_klein_4b": {"double_stream_modulation_img.lin.weight": [1], "img_in.weight": [3072, 1]},
    "hunyuan_image": {"byt5_in.fc1.weight": [1], "double_blocks.0.img_attn_qkv.weight": [1]},
    "lumina2": {"cap_embedder.1.weight": [2304, 1], "context_refiner.0.w": [1], "layers.0.attention.qkv.weight": [1]},
    "zimage": {"cap_embedder.1.weight": [3840, 1], "context_refiner.0.w": [1], "layers.0.attention.qkv.weight": [1]},
    "anima": {"net.llm_adapter.blocks.0.w": [1], "net.blocks.0.self_attn.q_proj.weight": [1]},
    "qwen_image": {"txt_norm.weight": [1], "transformer_blocks.0.img_mlp.net.0.proj.weight": [1],
                   "transformer_blocks.0.txt_mlp.net.0.proj.weight": [1]},
    "wan21:1b": {"patch_embedding.weight": [1536, 16, 1], "blocks.0.cross_attn.k.weight": [1]},
    "wan22_14b:t2v": {"patch_embedding.weight": [5120, 16, 1], "blocks.0.cross_attn.k.weight": [1]},
    "wan22_5b": {"patch_embedding.weight": [3072, 48, 1], "blocks.0.cross_attn.k.weight": [1]},
    "hidream": {"double_stream_blocks.0.block.attn1.to_k.weight": [1]},
    "ltx2": {f"{SD}audio_patchify_proj.weight": [1], f"{SD}transformer_blocks.0.attn1.to_k.weight": [1]},
}  # fmt: skip
OTHERS = {
    "lora": {"lora_unet_x.lora_down.weight": [16, 1], "lora_unet_x.lora_up.weight": [1, 16], "lora_unet_x.alpha": []},
    "vae": {"encoder.conv_in.weight": [1], "decoder.conv_in.weight": [1]},
    "text encoder": {"text_model.encoder.layers.0.layer_norm1.weight": [1]},
    "control": {"control_model.input_blocks.0.0.weight": [1]},
    "unknown": {"something.else": [1]},
}  # fmt: skip
_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "U8": 1}


def content(
    shapes: dict[str, list[int]], dtype: str = "F16", extra: dict[str, str] | None = None
) -> bytes:
    """A safetensors file of zeros with these tensors; ``extra`` are names with a dtype of their own."""
    header, at = {}, 0
    for name, shape in {**shapes, **{key: [1] for key in extra or {}}}.items():
        kind = (extra or {}).get(name, dtype)
        size = _BYTES[kind]
        for edge in shape:
            size *= edge
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def write(path: Path, shapes: dict[str, list[int]], dtype: str = "F16", **extra: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(shapes, dtype, extra))
    return path


def pipeline(folder: Path) -> Path:
    """A folder that passes for Stable Diffusion 1.5 in the layout of diffusers."""
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    return folder


def sparse(path: Path, shapes: dict[str, list[int]], size: int) -> Path:
    """As large as the published file, by its header and its length, with hardly a byte on the disk."""
    told = content({**shapes, "rest.weight": []})
    begin = 8 + struct.unpack("<Q", told[:8])[0]
    header = json.loads(told[8:begin])
    at = header["rest.weight"]["data_offsets"][0]
    header["rest.weight"] |= {"shape": [size // 2], "data_offsets": [at, at + size // 2 * 2]}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at + size // 2 * 2)
    return path
