"""What a job will take, before it starts: memory, disk, time, cost, each with where it comes from.

A figure is measured (on this machine, by an earlier job of the same kind) or estimated from
published sizes; what trainers state about a card is told beside it. Nothing here reads a picture,
waits for a process or asks the network.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app import base_models
from app.jobs import pricing, store
from app.jobs.cluster_card import ClusterCard
from app.models import Job
from app.platform import Platform
from engines import sizing
from engines.base import DatasetFacts, LaunchPlan
from engines.presets import ladder
from engines.spec import EngineName, JobSpec

GB = 1e9
CARD_GB = 2**30 / 1e9
"""What the makers of cards call a GB, in GB."""
_ALIKE_JOBS = 50
"""So many of the newest finished jobs are looked through for one of the same kind."""
_STATES_KEPT = 1
"""Both engines are told to keep their newest saved state only."""
_ON_THE_PROCESSOR = (
    "No GPU was found on this machine, so its processor trains, which takes many times longer. "
    "To see how it goes, SD 1.5 with few steps at a low resolution is enough."
)


@dataclass(frozen=True)
class Estimate:
    """A range in its unit, what it rests on, and the sentence that says so."""

    low: float
    high: float
    basis: Literal["measured", "stated", "estimated"]
    source: str


@dataclass(frozen=True)
class Preflight:
    """Memory and disk in GB, time in seconds, cost in the currency of this machine's price.

    None where nothing honest can be said yet. ``gpu_vram`` is the smallest card where it will run,
    ``place`` what is known of it where that is a cluster; ``stated`` what trainers say of the
    smallest card, ``warnings`` what will probably not fit, ``tight`` what perhaps will not.
    """

    vram: Estimate | None
    ram: Estimate | None
    disk: Estimate | None
    seconds: Estimate | None
    cost: Estimate | None
    gpu_vram: float | None
    free_disk: float
    stated: str = ""
    warnings: tuple[str, ...] = ()
    place: ClusterCard | None = None
    tight: str = ""

    @property
    def vram_card(self) -> tuple[float, float] | None:
        """``vram`` in GB as the makers of cards count them, to be held beside ``gpu_vram``."""
        return (self.vram.low / CARD_GB, self.vram.high / CARD_GB) if self.vram else None


def examine(
    platform: Platform,
    spec: JobSpec,
    engine: EngineName,
    plan: LaunchPlan,
    facts: tuple[DatasetFacts, ...] | None,
    *,
    place: ClusterCard | None = None,
) -> Preflight:
    """Needs an application context: earlier jobs are looked up in the database.

    ``place``: it will run on a cluster, so that the GPUs and the memory here say nothing.
    """
    alike = _alike(spec, engine)
    free = shutil.disk_usage(platform.settings.data_dir).free / GB
    report = platform.gpus.report()
    card = place.gb if place else report.smallest_gb
    steps = plan.total_steps or 0
    seconds = _seconds(alike, steps - plan.start_step, place)
    found = Preflight(
        vram=_vram(spec, alike),
        ram=_ram(spec),
        disk=_disk(platform, spec, steps, facts),
        seconds=seconds,
        cost=None if place else _cost(platform, seconds),
        gpu_vram=card,
        free_disk=free,
        stated=_stated(spec, engine),
        place=place,
    )
    slow = () if place or report.gpus else (_ON_THE_PROCESSOR,)
    return replace(found, warnings=(*slow, *_warnings(found)), tight=_tight(spec, found))


def _alike(spec: JobSpec, engine: EngineName) -> list[tuple[Job, dict[str, Any]]]:
    """Earlier jobs that trained the same thing in the same way, newest first."""
    wanted = _kind(json.loads(spec.model_dump_json(by_alias=True)))
    found = []
    for job in store.finished_like(spec.family, engine, _ALIKE_JOBS):
        document = json.loads(job.document)
        if _kind(document) == wanted:
            found.append((job, document))
    return found


def _kind(document: dict[str, Any]) -> tuple[Any, ...]:
    """What time and memory hang on."""
    memory, batch = document["memory"], document["batch"]
    edges = sorted({edge for dataset in document["datasets"] for edge in dataset["resolution"]})
    return (
        edges, batch["size"], batch["gradient_accumulation"], document["network"]["type"],
        document["gpus"], document["optimizer"]["name"],
        document["optimizer"]["text_encoder_learning_rate"] is not None,
        *(memory[key] for key in ("mixed_precision", "quantize", "gradient_checkpointing",
                                  "cache_text", "offload", "attention")),
    )  # fmt: skip


def _vram(spec: JobSpec, alike: Iterable[tuple[Job, dict[str, Any]]]) -> Estimate | None:
    for job, _ in alike:
        peaks = [attempt.peak_vram for attempt in job.attempts if attempt.peak_vram]
        if peaks:
            used = max(peaks) / GB
            return Estimate(used, used, "measured", f"the peak of job {job.id}, {job.name}")
    span = sizing.vram(spec)
    if span is None:
        return None
    return Estimate(
        span.low, span.high, "estimated",
        "from the model's published size, its bits, the batch and the resolution; not tried on a card",
    )  # fmt: skip


def _ram(spec: JobSpec) -> Estimate | None:
    need = sizing.ram(spec)
    if need is None:
        return None
    why = "the model passes through main memory once, and what is offloaded stays there"
    return Estimate(need, need, "estimated", why)


def _disk(
    platform: Platform,
    spec: JobSpec,
    steps: int,
    facts: tuple[DatasetFacts, ...] | None,
) -> Estimate | None:
    written = sizing.output_bytes(spec, steps, states=_STATES_KEPT)
    if written is None:
        return None
    latents = sizing.latent_bytes(spec, facts)
    parts = [f"checkpoints kept, a saved state and samples {written.high / GB:.1f} GB"]
    if latents:
        parts.append(f"cached latents {latents / GB:.1f} GB")
    download = _download(platform, spec)
    if download:
        parts.append(f"download of the base model about {download:.0f} GB")
    low = (written.low + latents) / GB + 0.7 * download
    high = (written.high + latents) / GB + download
    return Estimate(low, high, "estimated", "; ".join(parts))


def _download(platform: Platform, spec: JobSpec) -> float:
    """What has to come from the hub, in GB; 0 where the model is on this disk."""
    place = base_models.resolve(spec.base_model or "", platform.settings.data_dir)
    if isinstance(place, base_models.Local):
        return 0.0
    if platform.hub.is_cached(place.repo, place.file):
        return 0.0
    return sizing.download_gb(spec.family) or 0.0


def _seconds(
    alike: Iterable[tuple[Job, dict[str, Any]]], steps: int, place: ClusterCard | None
) -> Estimate | None:
    where = "the cluster" if place else "this machine"
    for job, _ in alike:
        here = not job.attempts or job.attempts[-1].executor == pricing.HERE
        if job.seconds_per_step and steps > 0 and here == (place is None):
            total = steps * job.seconds_per_step
            each = f"{job.seconds_per_step:.2f} s a step, as job {job.id} took on {where}"
            return Estimate(
                total, total * 1.2, "measured", f"{each}; sampling and saving come on top"
            )
    return None


def _cost(platform: Platform, seconds: Estimate | None) -> Estimate | None:
    price = pricing.price_per_hour(platform)
    if seconds is None or not price:
        return None
    low, high = (value / 3600 * price for value in (seconds.low, seconds.high))
    return Estimate(low, high, seconds.basis, f"that time at {price:g} an hour")


def _stated(spec: JobSpec, engine: EngineName) -> str:
    card = ladder.smallest_card_gb(spec.family, engine)
    if card is None:
        return f"No source that we know states what {spec.family} takes with {engine}."
    return f"Trainers state that {spec.family} trains on {card} GB with {engine}, with its memory settings."


def _tight(spec: JobSpec, found: Preflight) -> str:
    """A word where only the upper end of the estimate is over the card, with what would fit."""
    needed, card = found.vram_card, found.gpu_vram
    if not needed or not card or not needed[0] <= card < needed[1]:
        return ""
    batch = sizing.largest_batch(spec, card * CARD_GB)
    way = f"a batch size of {batch} would fit" if batch else "lower the resolution, or offload"
    return f"Tight: the upper end is over {card:.0f} GB. If it runs out of memory, {way}."


def _warnings(found: Preflight) -> tuple[str, ...]:
    warnings = list(found.place.warnings) if found.place else []
    if found.disk and found.disk.high > found.free_disk:
        warnings.append(
            f"The disk may fill up: up to {found.disk.high:.1f} GB will be written and "
            f"{found.free_disk:.1f} GB are free. Keep fewer checkpoints, or free some space."
        )
    needed = found.vram_card
    if needed and found.gpu_vram and needed[0] > found.gpu_vram:
        size = f"{found.gpu_vram:.0f} GB"
        card = (
            f"The {size} of the smallest GPU in {found.place.where}"
            if found.place
            else f"The GPU's {size}"
        )
        warnings.append(
            f"{card} will probably not do: {needed[0]:.0f} GB and more "
            "are needed. Choose a smaller memory preset, quantise, offload, or lower the resolution."
        )
    limit = found.place.memory_gb if found.place else memory_limit_gb()
    if found.ram and limit and found.ram.low > limit:
        who = f"the smallest machine in {found.place.where}" if found.place else "this machine"
        warnings.append(
            f"Main memory may not do: about {found.ram.low:.0f} GB are needed to load the model and "
            f"{who} has {limit:.0f} GB. A loading run would be killed without a word."
        )
    return tuple(warnings)


def memory_limit_gb() -> float | None:
    """Main memory this program may use, in GB: the machine's, or its container's where less."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    except (ValueError, OSError, AttributeError):
        return None
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text("ascii").strip()
        except OSError:
            continue  # this machine counts memory in the other way, or not at all
        if text.isdigit():
            return min(machine, int(text) / GB)
    return machine
