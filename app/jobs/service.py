"""What people can do with jobs. Web pages, the API and the command line all call this.

A request records what is wanted and wakes the supervisor; it never starts or signals a
process itself. All functions need an application context.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import waking, yaml_text
from app.datasets import library
from app.errors import ConflictError, InvalidSpecError, UserError
from app.jobs import checking, deleting, describing, elsewhere, installations, previewing, store
from app.jobs.checking import Checked
from app.jobs.cluster_card import usual_card_gb
from app.jobs.installations import Installation
from app.jobs.rundir import RunDir
from app.jobs.states import IllegalMoveError, JobState
from app.models import Job
from app.numbers import thousands
from app.platform import current
from engines.adapter import ENGINES
from engines.base import LaunchPlan, UnsupportedError
from engines.registry import EngineName
from engines.sections.table import MOST_STEPS
from engines.spec import JobSpec
from engines.switching import Switched, switch

HIGHEST_PRIORITY = 1000

get = store.get
delete = deleting.delete
as_json = describing.as_json
preview = previewing.preview


@dataclass(frozen=True)
class Page:
    """A page of the jobs table, newest first; ``next`` is the ``before`` of the next page."""

    jobs: tuple[Job, ...]
    counts: dict[str, int]
    next: int | None


def check(
    document: Mapping[str, Any],
    *,
    thorough: bool = True,
    card_gb: float | None = None,
    place: Mapping[str, str] | None = None,
) -> Checked:
    """Everything that can be known about a document before a start."""
    gpus = elsewhere.gpus_for(current().settings, place or {})
    card = usual_card_gb(current(), place or {}, card_gb)
    return checking.check(current(), document, thorough=thorough, card_gb=card, gpus=gpus)


def submit(
    document: Mapping[str, Any],
    *,
    hold: bool = False,
    gpu: str = "",
    card_gb: float | None = None,
    place: Mapping[str, str] | None = None,
) -> Job:
    """Queue a job, on the GPU of number ``gpu`` if one is chosen, or where ``place`` says.

    ``card_gb`` is the card that defaults are for. Raises InvalidSpecError with a sentence for
    every field that is wrong.
    """
    columns = elsewhere.chosen(current().settings, place or {})
    checked = check(document, card_gb=card_gb, place=place)
    if checked.errors or checked.spec is None or checked.engine is None or checked.plan is None:
        raise InvalidSpecError(checked.errors or {"engine": "This spec cannot be planned."})
    spec = JobSpec.model_validate(checked.document)
    job = store.add(
        name=spec.name,
        family=spec.family,
        engine=checked.engine,
        document=_as_json(spec),
        total_steps=checked.plan.total_steps,
        notes="\n".join((*checked.plan.notes, *checked.warnings)),
        held=hold,
        gpu_choice=gpu,
        **columns,
    )
    with contextlib.suppress(OSError):
        write_spec(job)  # where it cannot be written now, the start does it, or tells why not
    wake()
    return job


def _as_json(spec: JobSpec) -> str:
    return json.dumps(spec.model_dump(mode="json", by_alias=True), ensure_ascii=False)


def write_spec(job: Job) -> None:
    """Put what was asked for into the run directory, for people. Raises OSError."""
    run = run_dir(job)
    run.root.mkdir(parents=True, exist_ok=True)
    run.spec.write_text(yaml_text.dump(json.loads(job.document)), "utf-8")


def spec_of(job: Job) -> JobSpec:
    """The canonical spec stored with the job."""
    return JobSpec.model_validate_json(job.document)


def plan_summary(job: Job) -> tuple[str, ...]:
    """The sentences of the plan: what was rounded or translated."""
    return tuple(line for line in job.notes.split("\n") if line)


def run_dir(job: Job | int) -> RunDir:
    """The folder of a job, or of its number. Named by the number, never by what a person typed."""
    return RunDir(current().settings.jobs_dir / str(job if isinstance(job, int) else job.id))


def stop(job: Job, *, save: bool = False) -> None:
    """Ask for the end. A queued job is cancelled at once; a running one says STOPPING until
    its exit is seen. ``save`` wants the engine to save first, where it can."""
    if job.status is JobState.QUEUED:
        why, now = "cancelled before it started", time.time()
        with contextlib.suppress(IllegalMoveError):
            store.move(job, JobState.CANCELLED, why, finished=now, phase="")
            return
        job = store.get(job.id)  # it started in this very moment
    store.move(job, JobState.STOPPING, "stop asked for", wish="save-and-stop" if save else "stop")
    wake()


def retry(job: Job, *, resume: bool = True) -> None:
    """Queue a final job again. ``resume`` goes on from the newest whole save; else from step 0."""
    if not job.status.is_final:
        raise ConflictError(f"Job {job.id} is {job.state}; only a finished job can be tried again.")
    goes_on = resume and (job.target_steps or spec_of(job).resume != "never")
    why = "tried again from the newest save" if goes_on else "tried again from the start"
    _queue_again(job, why, fresh=not resume)


def _queue_again(job: Job, reason: str, *, fresh: bool, **columns: Any) -> None:
    """A new attempt of a final job, with what the last one left on the row cleared."""
    store.move(
        job,
        JobState.QUEUED,
        reason,
        fresh=fresh,
        wish="",
        suggestion="",
        cause="",
        held=False,
        interruptions=0,
        not_before=0.0,
        finished=None,
        phase="",
        **columns,
    )
    wake()


def extend(job: Job, steps: int) -> None:
    """Go on from a finished run for so many more steps. The spec itself stays as it is."""
    if job.status is not JobState.SUCCEEDED:
        raise ConflictError(f"Job {job.id} is {job.state}; only a finished run can be continued.")
    if not 1 <= steps <= MOST_STEPS:
        raise UserError(f"Give a whole number of further steps, from 1 to {thousands(MOST_STEPS)}.")
    done = job.total_steps or job.step
    if done + steps > MOST_STEPS:
        raise UserError(
            f"A run has at most {thousands(MOST_STEPS)} steps, and this one has {thousands(done)}: "
            f"continue it for {thousands(MOST_STEPS - done)} at most."
        )
    target = done + steps
    _queue_again(job, f"continued for {steps} more steps", fresh=False, target_steps=target)


def order(job: Job, what: str) -> None:
    """Have a running trainer save or draw its samples now: save-now or sample-now."""
    if why := why_no_order(job):
        raise ConflictError(why)
    if not store.change(job, JobState.RUNNING, wish=what):
        raise ConflictError(f"Job {job.id} is {job.state}; only a running one can do that.")
    wake()


def why_no_order(job: Job) -> str:
    """Why the job's engine takes no orders while it runs; empty when it does."""
    if ENGINES[job.engine].traits.takes_orders:
        return ""
    when = "by epochs" if ENGINES[job.engine].traits.whole_epochs else "as planned"
    return f"{job.engine} takes no orders while it trains; it saves and samples {when} only."


def run_next(job: Job) -> None:
    """Put a queued job before all others, and release it."""
    # Beyond what people can give, where somebody gave that.
    _change_queued(job, priority=store.highest_priority() + 1, held=False, not_before=0.0)
    wake()


def hold(job: Job) -> None:
    """Keep a queued job from starting."""
    _change_queued(job, held=True)


def release(job: Job) -> None:
    """Let a held job start."""
    _change_queued(job, held=False, not_before=0.0)
    wake()


def set_priority(job: Job, priority: int) -> None:
    """Higher starts earlier; equal ones by age. Whoever asks keeps to HIGHEST_PRIORITY."""
    _change_queued(job, priority=priority)
    wake()


def _change_queued(job: Job, **columns: Any) -> None:
    if not store.change(job, JobState.QUEUED, **columns):
        raise ConflictError(f"Job {job.id} is {job.state}; only a queued job can be changed so.")


def clone(job: Job) -> dict[str, Any]:
    """The job's document, for the form: a copy of everything it asked for."""
    document: dict[str, Any] = json.loads(job.document)
    return document


def clone_for(job: Job, engine: EngineName) -> Switched:
    """The job's document translated for ``engine``. Raises InvalidSpecError if it cannot train it."""
    try:
        return switch({**clone(job), "engine": job.engine}, engine)
    except UnsupportedError as error:
        raise InvalidSpecError({r.field: r.message for r in error.refusals}) from error


def pause_queue() -> None:
    """Start no further job; running ones go on."""
    store.remember("queue", "paused")
    wake()


def resume_queue() -> None:
    """Start jobs again."""
    store.remember("queue", "")
    wake()


def queue_paused() -> bool:
    """Whether a person paused the queue."""
    return store.fact("queue") == "paused"


def engines() -> tuple[Installation, ...]:
    """Every engine, installed or not."""
    return installations.find_all(current().settings)


def dataset_folders() -> list[str]:
    """What the dataset field offers, at most 500: names under DATA_DIR/datasets, paths of the others."""
    library.find_folders()
    found = library.all()[:500]
    return [dataset.name if dataset.managed else dataset.path for dataset in found]


def page(
    *, state: str | None = None, search: str = "", limit: int = 50, before: int | None = None
) -> Page:
    """One page of the jobs table."""
    found = store.page(state=state, search=search, limit=limit + 1, before=before)
    shown = tuple(found[:limit])
    return Page(shown, store.counts(), shown[-1].id if len(found) > limit else None)


def wake() -> None:
    """Tell the supervisor, in this program or another one, that there is something to do."""
    waking.ring(current().settings.data_dir)


def files_of(plan: LaunchPlan, folder: Path) -> tuple[Path, ...]:
    """Write a plan's native files into ``folder``; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in plan.files.items():
        path = folder / name
        path.write_text(text, "utf-8")
        written.append(path)
    return tuple(written)
