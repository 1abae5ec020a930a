"""What runs otherwise on the other engine although the field is the same, and what is still open.

Sources: the two engines at their pinned commits, as the adapters describe them.
"""

from __future__ import annotations

from collections.abc import Iterator

from engines import families
from engines.base import Refusal
from engines.kohya_ss.refusals import missing_components
from engines.spec import EngineName, JobSpec
from engines.switching.names import AI_TOOLKIT, KOHYA

_ONE_FILE = (".safetensors", ".sft", ".ckpt", ".pt", ".pth")
_FOLDERS_ONLY = ("flux", "lumina2")
"""Families that ai-toolkit loads by ``from_pretrained`` alone, so from a diffusers folder."""


def notes(spec: JobSpec, target: EngineName) -> Iterator[str]:
    """Sentences, one for each difference that this very spec will meet; none are known of others."""
    if target not in (AI_TOOLKIT, KOHYA):
        return
    yield from _length(spec, target)
    if spec.trigger_word:
        yield (
            "The trigger word is put in front of every caption, also of one that holds it already."
            if target == "kohya_ss"
            else "The trigger word is put in front of captions that lack it."
        )
    if spec.network.type == "lokr":
        yield (
            "LoKr's factor is lycoris' own choice unless network_args says factor=N, and "
            "lycoris trains attention and feed-forward layers."
            if target == "kohya_ss"
            else "LoKr's factor is ai-toolkit's own choice unless network.lokr_factor says it."
        )
    rate = spec.optimizer.text_encoder_learning_rate
    if rate and target == "ai-toolkit":
        yield "ai-toolkit trains the text encoder at the learning rate of the rest."
    if spec.memory.quantize != "none":
        yield (
            "kohya_ss casts the weights of the base model to 8-bit floats; ai-toolkit scales them."
            if target == "kohya_ss"
            else "ai-toolkit scales the weights to 8-bit floats; kohya_ss only casts them."
        )
    if spec.memory.offload:
        yield (
            "Offloading swaps whole blocks of the model in and out (blocks_to_swap)."
            if target == "kohya_ss"
            else "Offloading keeps single layers in main memory, of the text encoder too."
        )
    if spec.loss.timestep_sampling == "shift":
        yield "Each engine shifts timesteps by a number of its own."
    if target == "ai-toolkit" and spec.buckets.enabled:
        yield "ai-toolkit makes its own buckets; pictures may be cropped to other sizes."


def _length(spec: JobSpec, target: EngineName) -> Iterator[str]:
    if target == "kohya_ss":
        if spec.length.steps is not None:
            yield "kohya_ss trains whole epochs: steps, saves and samples are rounded to them."
        return
    if spec.length.epochs is not None:
        yield "ai-toolkit has no epochs: they are counted in steps from the pictures."
    else:
        yield "ai-toolkit trains, saves and draws at exactly the steps given, not at whole epochs."


def open_fields(spec: JobSpec, target: EngineName) -> Iterator[Refusal]:
    """Components and a form of the base model that the target cannot do without."""
    family = families.get(spec.family)
    if family is None:
        return
    base = spec.base_model or ""
    one_file = base.lower().endswith(_ONE_FILE)
    if target == "ai-toolkit":
        if one_file and spec.family in _FOLDERS_ONLY:
            yield Refusal(
                "base_model",
                f"ai-toolkit loads {spec.family} from a diffusers folder or repository such as "
                f"{family.default_model}; {base} is a single file.",
            )
        return
    if target != KOHYA or family.kohya is None:
        return
    if base and not one_file and family.kohya.flow:
        yield Refusal(
            "base_model",
            f"kohya_ss loads {spec.family} from one .safetensors file; {base} is none.",
        )
    yield from missing_components(spec, family.kohya)
