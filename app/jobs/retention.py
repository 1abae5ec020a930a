"""Which checkpoints stay: what the engine will remove next, pinning, and deleting one by hand."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import artifacts, tasks
from app.artifacts import Artifact, Outputs
from app.errors import ConflictError, NotFoundError, UserError
from app.jobs import gallery, service, store
from app.models import Job
from app.numbers import thousands
from app.tasks import Work
from engines.adapter import ENGINES


@dataclass(frozen=True)
class Outlook:
    """``keep`` checkpoints stay; ``next_gone`` is removed by the engine when ``at_step`` is saved."""

    keep: int
    next_gone: int | None = None
    at_step: int | None = None
    pinned: bool = False

    @property
    def sentence(self) -> str:
        """What a person has to know, beside the list."""
        text = f"The engine keeps the newest {self.keep}"
        if self.next_gone is None or self.at_step is None:
            return f"{text}; the finished file and pinned ones always stay."
        gone, when = thousands(self.next_gone), thousands(self.at_step)
        ending = "; its pinned copy stays." if self.pinned else " unless you pin it."
        return f"{text}; step {gone} is deleted when step {when} is saved{ending}"


def outlook(job: Job, found: Outputs, steps_per_epoch: int | None) -> Outlook:
    """What the engine will remove next, as far as it can be told."""
    spec = service.spec_of(job)
    keep, every = spec.saving.keep, spec.saving.every_steps
    steps = sorted(
        {
            step
            for lora in found.loras
            if not lora.file.final and (step := gallery.step_of(lora, steps_per_epoch)) is not None
        }
    )
    if job.status.is_final or not steps or not every:
        return Outlook(keep)
    if ENGINES[job.engine].traits.whole_epochs and steps_per_epoch:
        # It saves and counts by whole epochs.
        every = max(1, round(every / steps_per_epoch)) * steps_per_epoch
    oldest = steps[-keep] if len(steps) > keep else steps[0]
    at = oldest + keep * every
    if job.total_steps is not None and at > job.total_steps:
        return Outlook(keep)
    pinned = {gallery.step_of(kept, steps_per_epoch) for kept in found.kept}
    return Outlook(keep, oldest, at, oldest in pinned)


def planned(document: Mapping[str, Any]) -> str:
    """Beside "save every" in the form: how many there will be and how many stay. Empty where that
    cannot be told, as of a form with half its fields filled in."""
    saving, length = document.get("saving") or {}, document.get("length") or {}
    try:
        every, keep = int(saving["every_steps"]), int(saving["keep"])
        total = int(length["steps"])
    except (KeyError, TypeError, ValueError):
        return ""
    count = total // every if every > 0 else 0
    if count < 1 or keep < 1:
        return ""
    if count <= keep:
        return (
            f"{count} checkpoint{'' if count == 1 else 's'} in {thousands(total)} steps; all stay."
        )
    return (
        f"{count} checkpoints in {thousands(total)} steps; the newest {keep} stay: step {thousands(every)} "
        f"is deleted when step {thousands(every * (keep + 1))} is saved, unless you pin it on the job's page."
    )


def pin(job: Job, relative: str) -> Path:
    """Keep a checkpoint where no engine prunes.

    At once by a second name for the same bytes, which the engine cannot remove; a task then makes
    it a copy, since an engine that saves the step again would write into the same bytes.
    """
    lora = one_of(job, relative)
    folder = service.run_dir(job).output / artifacts.kept_folder(job.name)
    target = folder / lora.path.name
    folder.mkdir(exist_ok=True)
    try:
        os.link(lora.path, target)
    except FileExistsError:
        raise ConflictError(f"{lora.path.name} is pinned already.") from None
    except FileNotFoundError:
        raise NotFoundError(f"{lora.path.name} is gone; the engine has just removed it.") from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        copy(lora.path, target)
    tasks.start("artifact.keep", f"keep:{job.id}", {"path": str(target)})
    store.note(job, f"{lora.path.name} is pinned: it stays whatever the engine removes")
    return target


def copy(source: Path, target: Path) -> None:
    """Whole or not at all: half a copy bears another name."""
    partial = target.with_suffix(".partial")
    try:
        shutil.copy2(source, partial)
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def run(work: Work) -> dict[str, Any]:
    """Make a pinned file bytes of its own, if it still shares them."""
    path = Path(work.arguments["path"])
    try:
        if path.stat().st_nlink > 1:
            copy(path, path)
    except FileNotFoundError:
        return {"gone": True}  # unpinned meanwhile
    return {"bytes": path.stat().st_size}


def unpin(job: Job, relative: str) -> bool:
    """Give up the pin; whether that removed the last copy of the file."""
    kept = one_of(job, relative)
    if kept.file.kind != "kept":
        raise UserError(f"{kept.path.name} is not pinned.")
    others = gallery.outputs_of(job).loras
    last = all(lora.path.name != kept.path.name for lora in others)
    kept.path.unlink(missing_ok=True)
    name = kept.path.name
    store.note(
        job,
        f"the last copy of {name}, pinned, was deleted" if last else f"{name} is no longer pinned",
    )
    return last


def delete(job: Job, relative: str) -> None:
    """Delete one file for good."""
    lora = one_of(job, relative)
    if job.status.is_active and lora.file.kind == "lora":
        newest = max(gallery.outputs_of(job).loras, key=lambda a: a.mtime)
        if newest.path == lora.path:
            raise ConflictError(
                f"{lora.path.name} is the newest save of a run in progress; "
                "an interrupted run would go on from it. Stop the job first."
            )
    lora.path.unlink(missing_ok=True)
    store.note(job, f"{lora.path.name} was deleted by hand")


def one_of(job: Job, relative: str) -> Artifact:
    """The LoRA file at a path below output, as it is listed. Raises NotFoundError."""
    found = gallery.outputs_of(job)
    for artifact in (*found.loras, *found.kept):
        if artifact.file.path == relative:
            return artifact
    raise NotFoundError(f"There is no LoRA file {relative}; it may have been pruned or deleted.")
