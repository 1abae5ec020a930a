"""Sections that describe how the adapter is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from engines.sections.table import MOST_STEPS, Native, Section, about


def _word(value: Any) -> Any:
    """YAML reads a bare ``no`` as False; we mean the word."""
    return "no" if value is False else value


class Network(Section):
    """What is trained: the adapter's kind and size."""

    type: Literal["lora", "locon", "loha", "lokr", "dora"] = about(
        "lora", "Type", "Kind of adapter; LoRA is the one every program can load.",
        ai="network.type", kohya="network_module, network_args",
    )  # fmt: skip
    rank: int = about(
        16, "Rank", "Size of the adapter: more can hold more, and overfits sooner.",
        ai="network.linear", kohya="network_dim", ge=1,
    )  # fmt: skip
    alpha: float = about(
        16.0, "Alpha", "Scale: the adapter works with alpha divided by rank.",
        ai="network.linear_alpha", kohya="network_alpha", gt=0,
    )  # fmt: skip
    conv_rank: int | None = about(
        None, "Convolution rank", "Rank of the convolution layers; empty trains none of them.",
        ai="network.conv", kohya="network_args conv_dim", ge=1,
    )  # fmt: skip
    conv_alpha: float | None = about(
        None, "Convolution alpha", "Alpha of the convolution layers.",
        ai="network.conv_alpha", kohya="network_args conv_alpha", gt=0,
    )  # fmt: skip
    dropout: float = about(
        0.0, "Network dropout", "Share of the adapter switched off at random in each step.", unit="share",
        ai="network.dropout", kohya="network_dropout", ge=0, lt=1,
    )  # fmt: skip


class Optimizer(Section):
    """How fast and by which rule weights move."""

    name: str = about(
        "adamw8bit", "Optimizer", "The rule that turns gradients into changes.",
        ai="train.optimizer", kohya="optimizer_type", min_length=1,
    )  # fmt: skip
    learning_rate: float = about(
        1e-4, "Learning rate", "Size of each change; Prodigy wants 1.0.",
        ai="train.lr", kohya="learning_rate", gt=0,
    )  # fmt: skip
    text_encoder_learning_rate: float | None = about(
        None, "Text encoder rate", "Trains the text encoder too, at this rate; empty leaves it alone.",
        kohya="text_encoder_lr", ge=0,
    )  # fmt: skip
    weight_decay: float = about(
        0.01, "Weight decay", "Pull of all weights towards zero.",
        ai="train.optimizer_params.weight_decay", kohya="optimizer_args weight_decay", ge=0,
    )  # fmt: skip
    arguments: dict[str, Native] = about(
        None, "Optimizer arguments", "Further arguments of this optimizer, by its own names.",
        ai="train.optimizer_params", kohya="optimizer_args", factory=dict,
    )  # fmt: skip
    scheduler: str = about(
        "constant", "Schedule", "How the learning rate changes over the run.",
        ai="train.lr_scheduler", kohya="lr_scheduler", min_length=1,
    )  # fmt: skip
    warmup_steps: int = about(
        0, "Warm-up", "The learning rate rises from 0 over so many steps.", unit="steps",
        ai="train.lr_scheduler_params.num_warmup_steps", kohya="lr_warmup_steps", ge=0, le=MOST_STEPS,
    )  # fmt: skip


class Length(Section):
    """How long: steps or epochs, exactly one of them."""

    steps: int | None = about(
        None, "Steps", "kohya_ss rounds up to whole epochs.", unit="steps",
        ai="train.steps", kohya="max_train_epochs (computed)", ge=1, le=MOST_STEPS,
    )  # fmt: skip
    epochs: int | None = about(
        None, "Epochs", "Passes over every picture times its repeats.", unit="epochs",
        ai="train.steps (computed)", kohya="max_train_epochs", ge=1, le=1_000_000,
    )  # fmt: skip

    @model_validator(mode="after")
    def _exactly_one(self) -> Length:
        if (self.steps is None) == (self.epochs is None):
            both = ", not both" if self.steps is not None else ""
            raise ValueError(f"Give either steps or epochs{both}.")
        return self


class Batch(Section):
    """How many pictures make one step."""

    size: int = about(
        1, "Batch size", "Pictures in one forward pass; more needs more memory.", unit="pictures",
        ai="train.batch_size", kohya="datasets[].batch_size", ge=1, le=1024,
    )  # fmt: skip
    gradient_accumulation: int = about(
        1, "Gradient accumulation", "Passes collected into one step, at no cost in memory.",
        ai="train.gradient_accumulation", kohya="gradient_accumulation_steps", ge=1, le=1024,
    )  # fmt: skip


Cache = Literal["none", "memory", "disk"]


class Memory(Section):
    """What is traded for GPU memory."""

    mixed_precision: Annotated[Literal["no", "fp16", "bf16", "fp32"], BeforeValidator(_word)] = about(
        "bf16", "Mixed precision", "Number format while training; fp16 for cards before RTX 30.",
        ai="train.dtype", kohya="mixed_precision",
    )  # fmt: skip
    quantize: Literal[
        "none", "qfloat8", "float8", "uint8", "uint7", "uint6", "uint5", "uint4", "uint3", "uint2",
        "convrot8", "convrot4", "nvfp4",
    ] = about(
        "none", "Quantise the base model", "Holds the base model in fewer bits; saves memory, costs a little quality.",
        ai="model.quantize, model.qtype", kohya="fp8_base",
    )  # fmt: skip
    gradient_checkpointing: bool = about(
        True, "Gradient checkpointing", "Computes parts twice in place of keeping them: less memory, slower steps.",
        ai="train.gradient_checkpointing", kohya="gradient_checkpointing",
    )  # fmt: skip
    cache_latents: Cache = about(
        "disk", "Cache latents", "Encodes each picture once, before training.",
        ai="datasets[].cache_latents(_to_disk)", kohya="cache_latents(_to_disk)",
    )  # fmt: skip
    cache_text: Cache = about(
        "none", "Cache captions", "Encodes each caption once; then no shuffling, dropout or text encoder training.",
        ai="train.cache_text_embeddings", kohya="cache_text_encoder_outputs(_to_disk)",
    )  # fmt: skip
    offload: float = about(
        0.0, "Offload to RAM", "Share of the model's layers kept in main memory; slower.", unit="share",
        ai="model.layer_offloading_transformer_percent", kohya="blocks_to_swap", ge=0, le=1,
    )  # fmt: skip
    attention: Literal["sdpa", "xformers", "flash"] = about(
        "sdpa", "Attention", "Which implementation computes attention.",
        ai="(always sdpa)", kohya="sdpa, xformers, use_flash_attn",
    )  # fmt: skip


class Loss(Section):
    """What the error is measured on."""

    min_snr_gamma: float | None = about(
        None, "Min-SNR gamma", "Weighs noisy steps down; 5 is usual for SD 1.5 and SDXL.",
        ai="train.min_snr_gamma", kohya="min_snr_gamma", gt=0,
    )  # fmt: skip
    noise_offset: float = about(
        0.0, "Noise offset", "Lets the model learn very dark and very bright pictures.",
        ai="train.noise_offset", kohya="noise_offset", ge=0, le=1,
    )  # fmt: skip
    timestep_sampling: str | None = about(
        None, "Timestep sampling", "Which noise levels are trained most; empty takes the family's own.",
        ai="train.timestep_type", kohya="timestep_sampling",
    )  # fmt: skip
    guidance: float | None = about(
        None, "Training guidance", "Guidance value given to a distilled model; FLUX.1-dev wants 1.",
        kohya="guidance_scale", ge=0,
    )  # fmt: skip


class Ema(Section):
    """A running mean of the weights."""

    enabled: bool = about(
        False, "EMA", "Saves a running mean of the weights in place of the last ones.",
        ai="train.ema_config.use_ema",
    )  # fmt: skip
    decay: float = about(
        0.99,
        "EMA decay",
        "How slowly the mean follows.",
        ai="train.ema_config.ema_decay",
        gt=0,
        lt=1,
    )
