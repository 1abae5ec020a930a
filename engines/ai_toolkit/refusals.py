"""Everything this engine cannot honour, gathered from the modules that know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from engines import families
from engines.ai_toolkit import datasets, memory, model, network, optimizer, overrides, samples
from engines.base import OptionList, Refusal, Workspace
from engines.families import AiToolkitFamily
from engines.spec import JobSpec, ResumeFrom

_TAKEN = (
    "samples", "config.yaml", "optimizer.pt", "loss_log.db", "loss_log.db-wal", "loss_log.db-shm",
    "learnable_snr.json", "plugin.html", "log.txt", "logs", "pid.txt", "readme.md",
)  # fmt: skip
"""Files beside the LoRA: a name that one of them begins with would be resumed from it."""

_HIDING = ("_LoRA", "_refiner", "_t2i", "_cn")
"""A path with one of these is left out when the engine looks for a checkpoint."""


def family_of(spec: JobSpec) -> AiToolkitFamily | None:
    """The family as this engine has it, or None."""
    family = families.get(spec.family)
    return family.ai_toolkit if family else None


def refuse(spec: JobSpec, options: OptionList) -> Iterator[Refusal]:
    """What the spec alone shows."""
    family = family_of(spec)
    if family is None:
        yield Refusal("family", f"ai-toolkit does not train {spec.family}.")
        return
    yield from _refuse_name(spec)
    yield from network.refuse(spec, family)
    yield from optimizer.refuse(spec)
    yield from memory.refuse(spec, family)
    yield from datasets.refuse(spec)
    yield from model.refuse(spec, family)
    yield from samples.refuse(spec)
    yield from _refuse_replaced_text(spec)
    yield from overrides.refuse(spec, family, options)
    if spec.gpus > 1:
        yield Refusal(
            "gpus", "Several GPUs for one job are unproven with ai-toolkit; set 1, or use kohya_ss."
        )


def open_inputs(spec: JobSpec) -> Iterator[Refusal]:
    """What the family makes no sense without, and nobody named; a file may be written so."""
    family = families.get(spec.family)
    lists = {
        "datasets": (
            len(spec.datasets),
            f"{spec.family} learns to change pictures: name the folder of those to change.",
        ),
        "sample.samples": (
            len(spec.sampling.prompts),
            (
                f"ai-toolkit cannot draw a sample of {spec.family} without a picture to start from: "
                "name one for each prompt, or remove the prompts."
            ),
        ),
    }
    for wanted in family.inputs if family else ():
        group, _, key = wanted.path.partition("[].")
        if not wanted.required or group not in lists:
            continue
        count, sentence = lists[group]
        for place in range(count):
            if not _given(overrides.entry(spec, group, place), key):
                yield Refusal(f"{overrides.FIELD}.{group}.{place}.{key}", sentence)


def _given(entry: Mapping[str, Any], key: str) -> bool:
    """Whether an entry names the input; one of several pictures is enough."""
    stem = key.rstrip("_123")
    return any(value for name, value in entry.items() if str(name).rstrip("_123") == stem)


def _refuse_name(spec: JobSpec) -> Iterator[Refusal]:
    hit = next((file for file in _TAKEN if file.startswith(spec.name.lower())), None)
    if hit is not None:
        yield Refusal(
            "name",
            f"ai-toolkit would take its own file {hit} for a checkpoint of {spec.name!r}; "
            "choose another name.",
        )


def _refuse_replaced_text(spec: JobSpec) -> Iterator[Refusal]:
    """``${X}`` is replaced from the environment anywhere in the file, ``[name]`` by the name."""
    seen: set[str] = set()
    for field, text in _texts(spec):
        for mark, what in (("${", "from the environment"), ("[name]", "by the job's name")):
            if mark in text and field not in seen:
                seen.add(field)
                yield Refusal(field, f"ai-toolkit replaces {mark} {what}; leave it out.")


def _texts(spec: JobSpec) -> Iterator[tuple[str, str]]:
    yield "base_model", spec.base_model or ""
    yield "trigger_word", spec.trigger_word
    for name, path in spec.components.items():
        yield f"components.{name}", path
    for place, dataset in enumerate(spec.datasets):
        yield f"datasets.{place}.path", dataset.path
    for prompt in spec.sampling.prompts:
        yield "sampling.prompts", prompt
    if isinstance(spec.resume, ResumeFrom):
        yield "resume", str(spec.resume.source)
    yield from _inner("optimizer.arguments", spec.optimizer.arguments)
    yield from _inner(overrides.FIELD, spec.engine_options.get(overrides.NAME, {}))


def _inner(field: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield field, str(key)
            yield from _inner(field, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _inner(field, inner)


def _refuse_unread_clips(spec: JobSpec, workspace: Workspace) -> Iterator[Refusal]:
    """A folder without pictures holds clips: read for pictures alone, the run would end there."""
    family = families.get(spec.family)
    for place, found in enumerate(workspace.datasets or ()):
        if family and family.video and not found.images and not datasets.takes_clips(spec, place):
            yield Refusal(
                f"{overrides.FIELD}.datasets.{place}.num_frames",
                f"{spec.datasets[place].path} holds clips and no pictures; say how many frames to "
                "take of each, such as 41 (1 trains on pictures only).",
            )


def refuse_place(spec: JobSpec, workspace: Workspace) -> Iterator[Refusal]:
    """What only the place shows: the GPUs and the folder of the job."""
    if not workspace.gpus and optimizer.needs_gpu(spec.optimizer.name):
        yield Refusal(
            "optimizer.name",
            f"{spec.optimizer.name} needs a GPU and there is none; use adamw or adafactor.",
        )
    yield from _refuse_unread_clips(spec, workspace)
    folder = PurePath(workspace.output).as_posix()
    odd = next((mark for mark in ("[", "]", "*", "?", "${") if mark in folder), None)
    if odd is not None:
        yield Refusal(
            "name",
            f"ai-toolkit cannot resume in {folder}, for {odd} has a meaning there; move DATA_DIR.",
        )
    hiding = next((mark for mark in _HIDING if mark in folder and mark not in spec.name), None)
    if hiding is not None:
        yield Refusal(
            "name",
            f"ai-toolkit would never find its checkpoints in {folder}, for it leaves out paths "
            f"with {hiding}; move DATA_DIR.",
        )
