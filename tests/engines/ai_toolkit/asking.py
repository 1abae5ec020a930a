"""What a spec asks of ai-toolkit, as its own keys: written by hand from its source and docs.

One line for each canonical field, apart from the code that writes the file, so that the two can
be held against each other and against what the engine's own classes hold.
"""

from __future__ import annotations

from typing import Any

from engines import families
from engines.ai_toolkit.model import components
from engines.ai_toolkit.optimizer import NAMES
from engines.spec import JobSpec
from tests.engines.ai_toolkit.builders import ENGINE

DTYPES = {"no": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}
SAVED = {"fp16": "float16", "bf16": "bf16", "fp32": "float32"}


def asked(spec: JobSpec) -> dict[str, Any]:
    """Every native value by its path in config.process[0]."""
    return {
        "trigger_word": spec.trigger_word or None,
        "training_seed": spec.seed,
        **_network(spec), **_train(spec), **_model(spec), **_rest(spec), **_native(spec),
    }  # fmt: skip


def _network(spec: JobSpec) -> dict[str, Any]:
    network = spec.network
    wanted = {
        "network.type": "lokr" if network.type == "lokr" else "lora",
        "network.linear": network.rank,
        "network.linear_alpha": network.alpha,
        "network.conv": network.conv_rank,
        "network.dropout": network.dropout or None,
        "network.pretrained_lora_path": None
        if isinstance(spec.resume, str)
        else spec.resume.source,
    }
    if network.type == "lokr":
        wanted["network.lokr_full_rank"] = False
    if network.conv_rank is not None:
        wanted["network.conv_alpha"] = network.conv_alpha or network.conv_rank
    return wanted


def _train(spec: JobSpec) -> dict[str, Any]:
    family = families.families()[spec.family].ai_toolkit
    assert family is not None
    optimizer, loss = spec.optimizer, spec.loss
    warms = optimizer.scheduler == "constant_with_warmup" or optimizer.warmup_steps
    scheduler = "constant_with_warmup" if warms else optimizer.scheduler
    parameters: dict[str, Any] = {"num_warmup_steps": optimizer.warmup_steps} if warms else {}
    if scheduler == "linear":
        parameters = {"start_factor": 1.0, "end_factor": 0.0}
    wanted = {
        "train.steps": spec.length.steps or 100 * (spec.length.epochs or 0),
        "train.batch_size": spec.batch.size,
        "train.gradient_accumulation": spec.batch.gradient_accumulation,
        "train.lr": optimizer.learning_rate,
        "train.optimizer": NAMES[optimizer.name.lower()],
        "train.optimizer_params": {**optimizer.arguments, "weight_decay": optimizer.weight_decay},
        "train.lr_scheduler": scheduler,
        "train.lr_scheduler_params": parameters,
        "train.train_text_encoder": optimizer.text_encoder_learning_rate is not None,
        "train.dtype": DTYPES[spec.memory.mixed_precision],
        "train.gradient_checkpointing": spec.memory.gradient_checkpointing,
        "train.cache_text_embeddings": spec.memory.cache_text == "disk",
        "train.noise_scheduler": "flowmatch" if family.flow else "ddpm",
        "train.min_snr_gamma": loss.min_snr_gamma,
        "train.disable_sampling": not spec.sampling.prompts,
    }
    given = {
        "train.noise_offset": loss.noise_offset or None,
        "train.timestep_type": loss.timestep_sampling,
        "train.cfg_scale": loss.guidance,
        "train.ema_config.use_ema": spec.ema.enabled or None,
        "train.ema_config.ema_decay": spec.ema.decay if spec.ema.enabled else None,
    }
    return wanted | {path: value for path, value in given.items() if value is not None}


def _model(spec: JobSpec) -> dict[str, Any]:
    family = families.families()[spec.family].ai_toolkit
    assert family is not None
    memory = spec.memory
    wanted: dict[str, Any] = {"model.name_or_path": spec.base_model, "model.arch": spec.family}
    if memory.quantize != "none":
        recovery = family.recovery.get(memory.quantize)
        wanted["model.quantize"] = True
        wanted["model.qtype"] = f"{memory.quantize}|{recovery}" if recovery else memory.quantize
    else:
        wanted["model.quantize"] = None
    wanted["model.layer_offloading"] = True if memory.offload else None
    if memory.offload:
        wanted["model.layer_offloading_transformer_percent"] = memory.offload
        wanted["model.layer_offloading_text_encoder_percent"] = memory.offload
    for part, path in spec.components.items():
        wanted[components(family.arch)[part]] = path
    return wanted


def _rest(spec: JobSpec) -> dict[str, Any]:
    saving, sampling = spec.saving, spec.sampling
    family = families.families()[spec.family].ai_toolkit
    wanted: dict[str, Any] = {
        "save.save_every": saving.every_steps,
        "save.max_step_saves_to_keep": saving.keep,
        "save.dtype": SAVED[saving.precision],
        "sample.sampler": "flowmatch" if family and family.flow else "ddpm",
        "sample.sample_every": sampling.every_steps,
        "sample.sample_steps": sampling.steps,
        "sample.guidance_scale": sampling.guidance,
        "sample.width": sampling.width,
        "sample.height": sampling.height,
        "sample.seed": sampling.seed,
    }
    word = spec.trigger_word.lower()
    for place, prompt in enumerate(sampling.prompts):
        text = prompt if word in prompt.lower() else f"{spec.trigger_word}, {prompt}"
        wanted[f"sample.samples[{place}].prompt"] = text
    for place, dataset in enumerate(spec.datasets):
        own = {
            "folder_path": dataset.path, "resolution": list(dataset.resolution),
            "num_repeats": dataset.repeats, "caption_ext": dataset.caption_extension,
            "caption_dropout_rate": dataset.caption_dropout, "shuffle_tokens": dataset.shuffle_tags,
            "keep_tokens": dataset.keep_tags, "flip_x": dataset.flip,
            "is_reg": dataset.regularisation, "buckets": spec.buckets.enabled,
            "cache_latents": spec.memory.cache_latents == "memory",
            "cache_latents_to_disk": spec.memory.cache_latents == "disk",
        }  # fmt: skip
        wanted |= {f"datasets[{place}].{key}": value for key, value in own.items()}
    return wanted


def _native(spec: JobSpec) -> dict[str, Any]:
    """Values of the engine options, where they stand."""
    return dict(flat(spec.engine_options.get(ENGINE.name, {})))


def flat(value: Any, path: str = "") -> Any:
    """Values by path; lists of plain values are values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        for number, entry in enumerate(value):
            yield from flat(entry, f"{path}[{number}]")
    else:
        yield path, value
