"""What a newcomer is led through on the home page, until a job has trained or it is dismissed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app import tasks
from app.base_models import Hub, orders, read_library, resolve
from app.datasets import library, sample
from app.db import db
from app.gpu import GpuReport
from app.jobs import installing, service
from app.jobs.installations import Installation
from app.models import Dataset, Job, Task
from app.platform import current
from app.preferences import Preferences, load, save
from app.web import htmx
from engines import families, sizing
from engines.spec import EngineName

bp = Blueprint("first_steps", __name__, url_prefix="/first-steps")

_BEGUN = ("starting", "running", "stopping", "succeeded")
_ENOUGH_FOR_SDXL = 10.0


class FirstSteps(Preferences):
    """Whether the list was put away."""

    dismissed: bool = False


@dataclass(frozen=True)
class Preset:
    """A first job that fits the machine; ``fields`` fill the New job form."""

    family: str
    engine: EngineName
    why: str
    fields: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """The family's name."""
        found = families.get(self.family)
        return found.label if found else self.family

    @property
    def model(self) -> str:
        """Its usual base model."""
        found = families.get(self.family)
        return found.default_model if found else ""


@dataclass(frozen=True)
class Steps:
    """The list as it stands; a task is given while it does the step's work."""

    preset: Preset
    engines: tuple[Installation, ...]
    installs: Task | None
    elsewhere: str
    model_here: bool
    model_task: Task | None
    dataset: Dataset | None
    drawing: Task | None
    job: Job | None

    @property
    def engine(self) -> Installation | None:
        """One that can run."""
        return next((found for found in self.engines if found.installed), None)

    @property
    def wanted(self) -> Installation:
        """The one to install."""
        return next(found for found in self.engines if found.name == self.preset.engine)

    @property
    def done(self) -> tuple[bool, bool, bool, bool]:
        """Engine, base model, dataset, first job."""
        begun = self.job is not None and self.job.state in _BEGUN
        ready = self.dataset is not None and self.drawing is None
        return (self.engine is not None, self.model_here or begun, ready or begun, begun)

    @property
    def first_job(self) -> str:
        """The New job form, filled in."""
        given = [*self.preset.fields]
        if self.dataset is not None:
            place = self.dataset.name if self.dataset.managed else self.dataset.path
            given += [("datasets.0.path", place), ("trigger_word", self.dataset.trigger_word)]
        return "/jobs/new?" + urlencode([(name, text) for name, text in given if text])

    @property
    def model_gb(self) -> float | None:
        """What the preset's base model weighs."""
        return sizing.download_gb(self.preset.family)

    @property
    def version(self) -> str:
        """Changes with everything that is shown."""
        work = [f"{t.id}.{t.version}" for t in (self.installs, self.model_task, self.drawing) if t]
        job = f"{self.job.id}.{self.job.state}" if self.job else "-"
        return "-".join([*("01"[mark] for mark in self.done), *work, job])


def steps() -> Steps | None:
    """The list, or None where it is of no use any more. Needs a context."""
    platform = current()
    if load(FirstSteps).dismissed or _newest("succeeded") is not None:
        return None
    preset = preset_for(platform.gpus.report())
    found = service.engines()
    drawing = _unless_over(_drawing())
    shown = Steps(
        preset=preset,
        engines=found,
        installs=next(filter(None, (_unless_over(installing.newest(e.name)) for e in found)), None),
        elsewhere=installing.elsewhere(platform.settings, preset.engine),
        model_here=_model_here(preset),
        model_task=_unless_over(_download(preset)),
        dataset=next(iter(library.all()), None),
        drawing=drawing,
        job=_newest(),
    )
    return None if all(shown.done) else shown


def preset_for(report: GpuReport) -> Preset:
    """The smallest thing worth training here; only models that need no licence to be accepted."""
    steps_ = (("name", "first-lora"), ("family", "sd15"))
    card = report.smallest_gb
    if card is None:
        small = (("length.steps", "20"), ("datasets.0.resolution", "256"), ("network.rank", "4"))
        why = (
            "No GPU was found on this machine. A run here shows the whole way: 20 steps at 256 px with "
            "rank 4, in minutes to an hour. For a LoRA of use, rent a machine with a GPU."
        )
        return Preset("sd15", "kohya_ss", why, (*steps_, *small))
    if card < _ENOUGH_FOR_SDXL:
        why = f"{card:.0f} GB of GPU memory are enough for Stable Diffusion 1.5 at 512 px."
        return Preset("sd15", "ai-toolkit", why, (*steps_, ("length.steps", "800")))
    why = f"{card:.0f} GB of GPU memory are enough for SDXL; other families are one choice away."
    named = (("name", "first-lora"), ("family", "sdxl"), ("length.steps", "1000"))
    return Preset("sdxl", "ai-toolkit", why, named)


def _model_here(preset: Preset) -> bool:
    """Whether a base model is on this machine: the preset's, or any that was found."""
    place = resolve(preset.model, current().settings.data_dir)
    if isinstance(place, Hub) and current().hub.is_cached(place.repo, place.file):
        return True
    return any(entry.is_base for entry in read_library(current().settings).entries)


def _download(preset: Preset) -> Task | None:
    place = resolve(preset.model, current().settings.data_dir)
    return orders.download_of(place) if isinstance(place, Hub) else None


def _drawing() -> Task | None:
    dataset = sample.find()
    return tasks.latest(f"dataset:{dataset.id}", sample.KIND) if dataset else None


def _unless_over(task: Task | None) -> Task | None:
    return task if task is not None and task.state != "done" else None


def _newest(state: str = "") -> Job | None:
    query = select(Job).order_by(Job.id.desc()).limit(1).execution_options(populate_existing=True)
    return db.session.scalars(query.where(Job.state == state) if state else query).first()


@bp.get("")
def show() -> ResponseReturnValue:
    """The list as a fragment, for its poll."""
    found = steps()
    return htmx.fragment("first_steps", steps=found, version=found.version if found else "over")


@bp.post("/sample")
def make_sample() -> ResponseReturnValue:
    """The sample dataset, drawn by a task; its page shows how far it is."""
    return redirect(f"/datasets/{sample.start().id}", 303)


@bp.post("/model")
def get_model() -> ResponseReturnValue:
    """Fetch the base model of the preset, or go on with it."""
    platform = current()
    orders.download(platform.settings, preset_for(platform.gpus.report()).model)
    return redirect("/", 303)


@bp.post("/dismiss")
def dismiss() -> ResponseReturnValue:
    save(FirstSteps(dismissed=True))
    return redirect("/", 303)


@bp.post("/again")
def again() -> ResponseReturnValue:
    """Have the list back."""
    save(FirstSteps())
    return redirect("/", 303)
