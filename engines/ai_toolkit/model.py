"""The base model's section: its arch, paths of further parts, and the family's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engines.ai_toolkit.draft import Draft
from engines.base import Refusal
from engines.families import AiToolkitFamily, Family
from engines.spec import JobSpec

_VAE = {"vae": "model.vae_path"}
_TEXT = {"text_encoder": "model.te_name_or_path"}
_EXTRAS = {"extras": "model.extras_name_or_path"}
_OWN_VAE = {"vae": "model.model_kwargs.vae_path"}

_COMPONENTS: Mapping[str, Mapping[str, str]] = {
    "sd15": _VAE, "sdxl": _VAE, "flux": _VAE, "flex1": _VAE,
    "lumina2": {**_TEXT, "gemma2": "model.te_name_or_path"},
    "flux2": _VAE, "flux2_klein_4b": _VAE, "flux2_klein_9b": _VAE,
    "krea2": _OWN_VAE, "mageflow": _OWN_VAE, "mageflow_edit": _OWN_VAE,
    "ltx2": {**_TEXT, **_EXTRAS}, "ltx2.3": _TEXT, "ltx2.5": _TEXT,
    "minimax_h3": _TEXT, "minimax_h3_ref2va": _TEXT,
    "wan21": _EXTRAS, "wan21_i2v": _EXTRAS, "wan22_14b": _EXTRAS, "wan22_14b_i2v": _EXTRAS,
    "wan22_5b": _EXTRAS, "flux_kontext": _EXTRAS, "hidream": _EXTRAS, "hidream_e1": _EXTRAS,
    "hidream_o1": _EXTRAS, "omnigen2": _EXTRAS, "nucleus_image": _EXTRAS, "zimage": _EXTRAS,
    "zimage_l2p": _EXTRAS, "zeta_chroma": _EXTRAS, "ernie_image": _EXTRAS, "qwen_image": _EXTRAS,
    "qwen_image_edit": _EXTRAS, "qwen_image_edit_plus": _EXTRAS,
}  # fmt: skip
"""By arch: our name of a part, and the native key that takes its path (read in the source)."""

_GUIDED = ("flux", "flux_kontext", "flux2")
TIMESTEPS = (
    "sigmoid", "linear", "weighted", "shift", "flux_shift", "lumina2_shift", "lognorm_blend",
    "next_sample", "one_step", "two_step", "four_step", "eight_step",
)  # fmt: skip


def components(arch: str) -> Mapping[str, str]:
    """Parts that may be named for this arch, with their native keys."""
    return _COMPONENTS.get(arch, {})


def is_guided(family: AiToolkitFamily) -> bool:
    """Whether the model is distilled to take a guidance value while training."""
    return family.arch in _GUIDED


def refuse(spec: JobSpec, family: AiToolkitFamily) -> Iterator[Refusal]:
    """What of the components and the loss the engine cannot do."""
    known = components(family.arch)
    for name in spec.components:
        if name not in known:
            able = f"it takes {', '.join(known)}" if known else "the base model brings all parts"
            yield Refusal(
                f"components.{name}",
                f"ai-toolkit takes no {name} for {spec.family} ({able}); remove it.",
            )
    if family.flow:
        yield from _refuse_noise(spec)
    if spec.loss.timestep_sampling is not None:
        if not family.flow:
            yield Refusal(
                "loss.timestep_sampling",
                f"{spec.family} is not trained by flow matching, so this is fixed; leave it empty.",
            )
        elif spec.loss.timestep_sampling not in TIMESTEPS:
            yield Refusal(
                "loss.timestep_sampling",
                f"ai-toolkit has no {spec.loss.timestep_sampling}; use {', '.join(TIMESTEPS)}.",
            )
    if spec.loss.guidance is not None and not is_guided(family):
        yield Refusal(
            "loss.guidance",
            f"ai-toolkit takes no training guidance for {spec.family}; leave it empty.",
        )


def _refuse_noise(spec: JobSpec) -> Iterator[Refusal]:
    if spec.loss.min_snr_gamma is not None:
        yield Refusal(
            "loss.min_snr_gamma",
            f"{spec.family} is trained by flow matching, where it has no meaning; leave it empty.",
        )
    if spec.loss.noise_offset:
        yield Refusal(
            "loss.noise_offset",
            f"{spec.family} is trained by flow matching, where it does harm; set it to 0.",
        )


def write_defaults(draft: Draft, spec: JobSpec, family: AiToolkitFamily) -> None:
    """What the engine's own form sets for this model; canonical fields are written over it."""
    for path, value in family.defaults.items():
        if not path.startswith("datasets[]"):
            draft.put(path, value, "family")
            continue
        for place in range(len(spec.datasets)):
            draft.put(path.replace("[]", f"[{place}]", 1), value, "family")


def write(draft: Draft, spec: JobSpec, family: Family, engine: AiToolkitFamily) -> None:
    """Model and loss."""
    name = spec.base_model or family.default_model
    draft.put("model.name_or_path", name, "base_model" if spec.base_model else "family")
    if not spec.base_model and name:
        draft.note(f"No base model is named; {name} is written, the usual one of {family.label}.")
    # What follows a colon tells our families apart; the engine strips it.
    tagged = spec.family.split(":")[0] == engine.arch
    draft.put("model.arch", spec.family if tagged else engine.arch, "family")
    known = components(engine.arch)
    for part, path in spec.components.items():
        draft.put(known[part], path, f"components.{part}")
    draft.put("train.noise_scheduler", "flowmatch" if engine.flow else "ddpm", "family")
    loss = spec.loss
    if loss.timestep_sampling is not None:
        draft.put("train.timestep_type", loss.timestep_sampling, "loss.timestep_sampling")
    if loss.min_snr_gamma is not None:
        draft.put("train.min_snr_gamma", loss.min_snr_gamma, "loss.min_snr_gamma")
    if loss.noise_offset:
        draft.put("train.noise_offset", loss.noise_offset, "loss.noise_offset")
    if loss.guidance is not None:
        draft.put("train.cfg_scale", loss.guidance, "loss.guidance")
