"""The words of the kohya_ss GUI: which native key each one is, for which models, or why none.

Read from bmaltais/kohya_ss 45088f04, ``kohya_gui/lora_gui.py``.
"""

from __future__ import annotations

FLAGS = (
    ("sdxl", "sdxl"), ("flux1_checkbox", "flux"), ("sd3_checkbox", "sd3"),
    ("hunyuan_image_checkbox", "hunyuan_image"), ("anima_checkbox", "anima"),
    ("lumina_checkbox", "lumina2"), ("sdxl_checkbox", "sdxl"), ("v2", "sd2"),
)  # fmt: skip
"""Switches that choose the model, in the GUI's order."""

_FLUX = frozenset({"flux", "chroma"})
_SD3 = frozenset({"sd3"})
_DIT = frozenset({"flux", "chroma", "sd3", "hunyuan_image", "anima", "lumina2"})

PREFIXES: tuple[tuple[str, frozenset[str]], ...] = (
    ("sdxl_", frozenset({"sdxl"})), ("flux1_", _FLUX), ("sd3_", _SD3),
    ("hunyuan_image_", frozenset({"hunyuan_image"})), ("hunyuan_", frozenset({"hunyuan_image"})),
    ("anima_", frozenset({"anima"})), ("lumina_", frozenset({"lumina2"})),
)  # fmt: skip
"""A word that begins so is the rest of it as a native key, for these families only."""

RENAMED = {
    "max_resolution": "resolution", "optimizer": "optimizer_type",
    "lora_network_weights": "network_weights", "batch_size": "train_batch_size",
}  # fmt: skip

ONLY_FOR: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("clip_g", "clip_g_dropout_rate", "logit_mean", "logit_std", "mode_scale",
         "pos_emb_random_crop_rate", "save_clip", "save_t5xxl", "t5xxl_device", "t5xxl_dtype",
         "weighting_scheme"), _SD3,
    ),
    **dict.fromkeys(
        ("ae", "split_mode", "t5xxl_max_token_length", "guidance_scale", "mem_eff_save",
         "apply_t5_attn_mask", "cpu_offload_checkpointing", "single_blocks_to_swap",
         "double_blocks_to_swap", "fp8_base_unet", "clip_l", "t5xxl", "discrete_flow_shift",
         "model_prediction_type", "timestep_sampling", "model_type", "img_attn_dim", "img_mlp_dim",
         "img_mod_dim", "single_dim", "txt_attn_dim", "txt_mlp_dim", "txt_mod_dim",
         "single_mod_dim", "in_dims"), _FLUX,
    ),
    "blocks_to_swap": _DIT,
    "show_timesteps": _DIT,
}  # fmt: skip
NOT_FOR: dict[str, tuple[str, ...]] = {
    "max_token_length": ("flux", "chroma", "hunyuan_image", "anima", "lumina2"),
    "clip_skip": ("hunyuan_image", "anima", "lumina2"),
}

_LAUNCHER = "it belongs to the GUI's launcher; a job here is started on its GPUs by itself"
_GUI = "a word of the GUI alone"
_TOOL = "it belongs to another tool of the GUI"
ONLY_GUI: dict[str, str] = {
    **dict.fromkeys(
        ("dynamo_backend", "dynamo_mode", "dynamo_use_dynamic", "dynamo_use_fullgraph",
         "num_processes", "num_machines", "multi_gpu", "gpu_ids", "main_process_port",
         "num_cpu_threads_per_process", "extra_accelerate_launch_args"), _LAUNCHER,
    ),
    **dict.fromkeys(
        ("save_as_bool", "model_list", "max_train_steps_info", "training_comment_gui",
         "enable_bucket_gui"), _GUI,
    ),
    **dict.fromkeys(
        ("create_buckets", "create_caption", "full_path", "folder_name", "image_folder",
         "train_dir", "caption_metadata_filename", "latent_metadata_filename", "dataset_repeats",
         "use_latent_files", "train_text_encoder", "template", "init_word", "token_string",
         "num_vectors_per_token", "weights"), _TOOL,
    ),
    **dict.fromkeys(
        ("learning_rate_te", "learning_rate_te1", "learning_rate_te2"),
        "the GUI uses it for DreamBooth and fine tuning only",
    ),
    "stop_text_encoder_training": "the GUI itself ignores it",
    "stop_text_encoder_training_pct": "the GUI itself ignores it",
    "use_wandb": "readings are kept here; Weights & Biases is not written to",
    "wandb_run_name": "readings are kept here; Weights & Biases is not written to",
    "lowvram": "sd-scripts has no such option any more",
    # These are read where they are translated.
    "LoRA_type": "", "epoch": "", "lr_warmup": "", "xformers": "", "use_8bit_adam": "",
    "noise_offset_type": "", "additional_parameters": "",
}  # fmt: skip
SECRETS = frozenset({"huggingface_token", "wandb_api_key"})
UNSET_WORDS = frozenset({"None", "null"})
