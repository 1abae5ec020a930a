"""The model card of a LoRA: what it was trained from, its trigger word, its settings, its samples."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app import artifacts, yaml_text
from app.delivery.targets import Target
from app.jobs import service
from app.models import Delivery, Job
from engines import families
from engines.adapter import ENGINES
from engines.prompts import with_trigger
from engines.spec import JobSpec

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_MOST_PICTURES = 8
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def write(path: Path, job: Job, target: Target, rows: Iterable[Delivery]) -> None:
    """Write it, unless it already says the same: its time tells whether it changed."""
    text = compose(job, target, [row.path for row in rows])
    if path.is_file() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)


def compose(job: Job, target: Target, paths: list[str]) -> str:
    """The card as Markdown with its YAML head."""
    spec = service.spec_of(job)
    pictures = _pictures(job, paths, spec)
    head = yaml_text.dump(_head(spec, target, pictures), width=1000)
    lines = [f"---\n{head}---", "", f"# {spec.name}", ""]
    known = families.get(spec.family)
    family = known.label if known else spec.family
    lines += [f"A LoRA for {family}, trained with {job.engine}.", ""]
    if spec.trigger_word:
        lines += ["## Trigger word", "", f"Use `{spec.trigger_word}` in the prompt.", ""]
    if pictures:
        lines += ["<Gallery />", ""]
    lines += ["## Settings", "", "| setting | value |", "| --- | --- |"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in _settings(job, spec)]
    loras = [name for name in paths if name.endswith(".safetensors")]
    if loras:
        lines += ["", "## Files", "", *(f"- `{name}`" for name in loras)]
    return "\n".join(lines) + "\n"


def _head(spec: JobSpec, target: Target, pictures: list[tuple[str, str]]) -> dict[str, Any]:
    head: dict[str, Any] = {"tags": ["lora", "text-to-image", spec.family]}
    if spec.base_model and _HUB_ID.fullmatch(spec.base_model):
        head["base_model"] = spec.base_model
    if spec.trigger_word:
        head["instance_prompt"] = spec.trigger_word
    if target.licence:
        head["license"] = target.licence
    if pictures:
        head["widget"] = [{"text": text, "output": {"url": url}} for url, text in pictures]
    return head


def _pictures(job: Job, paths: list[str], spec: JobSpec) -> list[tuple[str, str]]:
    """The samples of the newest step that has any, each with its prompt."""
    run = service.run_dir(job)
    found = artifacts.find(run.output, ENGINES[job.engine], job.name)
    sent = [
        sample
        for sample in found.samples
        if f"samples/{sample.path.name}" in paths and sample.path.suffix.lower() in _PICTURES
    ]
    prompts = [with_trigger(text, spec.trigger_word) for text in spec.sampling.prompts]
    newest = [
        s for s in sent if (s.file.step, s.file.epoch) == (sent[-1].file.step, sent[-1].file.epoch)
    ]
    return [
        (f"samples/{s.path.name}", prompts[(s.file.prompt or 0) % len(prompts)] if prompts else "-")
        for s in newest[:_MOST_PICTURES]
    ]


def _named(model: str) -> str:
    return model if _HUB_ID.fullmatch(model) else Path(model).name


def _settings(job: Job, spec: JobSpec) -> list[tuple[str, Any]]:
    network, optimizer = spec.network, spec.optimizer
    return [
        # Of a path of this machine the name alone: the card is for others.
        ("Base model", _named(spec.base_model or "")),
        ("Network", f"{network.type}, rank {network.rank}, alpha {network.alpha:g}"),
        ("Steps", job.step or job.total_steps),
        ("Learning rate", f"{optimizer.learning_rate:g}"),
        ("Optimizer", f"{optimizer.name}, {optimizer.scheduler}"),
        ("Batch size", spec.batch.size * spec.batch.gradient_accumulation),
        ("Resolution", ", ".join(str(r) for d in spec.datasets for r in d.resolution) or "default"),
        ("Precision", spec.memory.mixed_precision),
        ("Seed", spec.seed),
    ]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
