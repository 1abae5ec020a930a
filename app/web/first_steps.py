"""What a newcomer is led through on the home page, until a job has trained or it is dismissed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zlib import crc32

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app import tasks
from app.base_models import Hub, orders, read_library, resolve
from app.datasets import library, sample
from app.db import db
from app.jobs import installing, service
from app.jobs.cluster_card import cluster_card
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
_HERE = "this machine"


class FirstSteps(Preferences):
    """Whether the list was put away."""

    dismissed: bool = False


@dataclass(frozen=True)
class Preset:
    """A first job; ``fields`` fill the New job form, ``place`` is what it fits."""

    family: str
    engine: EngineName
    why: str
    fields: tuple[tuple[str, str], ...]
    place: str = _HERE

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
    """The list as it stands. A task is the newest that does a step's work and is not done: while it
    is under way it stands in the place of the step's button, after that only its error is told."""

    preset: Preset
    engines: tuple[Installation, ...]
    installs: Task | None
    elsewhere: str
    model_here: bool
    model: str
    """A base model on this machine that the first job takes; empty: the family's usual one."""
    model_task: Task | None
    dataset: Dataset | None
    drawing: Task | None
    job: Job | None
    offline: str = ""
    """Why nothing can be had from the Hub; empty where it can."""

    @property
    def ready(self) -> list[str]:
        """The engines that can run."""
        return [found.name for found in self.engines if found.installed]

    @property
    def wanted(self) -> Installation:
        """The one to install."""
        return next(found for found in self.engines if found.name == self.preset.engine)

    @property
    def done(self) -> tuple[bool, bool, bool, bool]:
        """Engine, base model, dataset, first job."""
        begun = self.job is not None and self.job.state in _BEGUN
        drawn = self.drawing is None or self.drawing.is_final
        ready = self.dataset is not None and self.dataset.images > 0 and drawn
        return (bool(self.ready), self.model_here or begun, ready or begun, begun)

    @property
    def first_job(self) -> str:
        """The New job form, filled in."""
        given = [*self.preset.fields, ("base_model", self.model)]
        if self.dataset is not None:
            place = self.dataset.name if self.dataset.managed else self.dataset.path
            given += [("datasets.0.path", place), ("trigger_word", self.dataset.trigger_word)]
            given += [("sampling.prompts", sample.PROMPT if place == sample.NAME else "")]
        return "/jobs/new?" + urlencode([(name, text) for name, text in given if text])

    @property
    def model_gb(self) -> float | None:
        """What the preset's base model weighs."""
        return sizing.download_gb(self.preset.family)

    @property
    def version(self) -> str:
        """Changes with everything that is shown."""
        work = [f"{t.id}.{t.version}" for t in (self.installs, self.model_task, self.drawing) if t]
        shown = (
            self.preset,
            self.ready,
            self.elsewhere,
            self.dataset and (self.dataset.id, self.dataset.name, self.dataset.images),
            self.first_job,
            self.job and (self.job.id, self.job.name, self.job.state),
        )
        return "-".join(
            [*("01"[mark] for mark in self.done), *work, f"{crc32(repr(shown).encode()):x}"]
        )


def steps() -> Steps | None:
    """The list, or None where it is of no use any more. Needs a context."""
    platform = current()
    if load(FirstSteps).dismissed or _newest("succeeded") is not None:
        return None
    preset = _preset()
    found = service.engines()
    here, model = _model(preset)
    shown = Steps(
        preset=preset,
        engines=found,
        installs=_installing(found, preset.engine),
        elsewhere=installing.elsewhere(platform.settings, preset.engine),
        model_here=here,
        model=model,
        model_task=_unless_done(_download(preset)),
        dataset=_dataset(),
        drawing=_unless_done(_drawing()),
        job=_newest(),
        offline=platform.settings.why_no_hub,
    )
    return None if all(shown.done) else shown


def _preset() -> Preset:
    """For where a job runs unless it is told otherwise: this machine, or the cluster's usual partition."""
    platform = current()
    place = cluster_card(platform, {})
    if place is None:
        return preset_for(platform.gpus.report().smallest_gb)
    if place.gb is not None:
        return preset_for(place.gb, place.where)
    why = (
        f"How much memory the GPUs of {place.where} have is not known. "
        "Stable Diffusion 1.5 at 512 px fits nearly any."
    )
    return _small(why, "nearly any GPU")


def preset_for(card: float | None, where: str = "") -> Preset:
    """The smallest thing worth training on a card of so many GB; only models that need no licence."""
    if card is None:
        given = (
            ("length.steps", "20"), ("datasets.0.resolution", "256"), ("network.rank", "4"),
            ("sampling.every_steps", "10"), ("sampling.steps", "10"),
            ("sampling.width", "256"), ("sampling.height", "256"),
        )  # fmt: skip
        why = (
            "No GPU was found on this machine. A run here shows the whole way: 20 steps at 256 px with "
            "rank 4, in minutes to an hour. For a LoRA of use, rent a machine with a GPU."
        )
        return Preset("sd15", "kohya_ss", why, (*_named("sd15"), *given))
    place = where or _HERE
    memory = f"{card:.0f} GB of GPU memory{f' in {where}' if where else ''}"
    if card < _ENOUGH_FOR_SDXL:
        return _small(f"{memory} are enough for Stable Diffusion 1.5 at 512 px.", place)
    why = f"{memory} are enough for SDXL; other families are one choice away."
    return Preset("sdxl", "ai-toolkit", why, (*_named("sdxl"), ("length.steps", "1000")), place)


def _small(why: str, place: str) -> Preset:
    return Preset("sd15", "ai-toolkit", why, (*_named("sd15"), ("length.steps", "800")), place)


def _named(family: str) -> tuple[tuple[str, str], ...]:
    return ("name", "first-lora"), ("family", family)


def _model(preset: Preset) -> tuple[bool, str]:
    """Whether any base model is on this machine; and the one of the preset's family, where the usual
    one is not."""
    place = resolve(preset.model, current().settings.data_dir)
    if isinstance(place, Hub) and current().hub.is_cached(place.repo, place.file):
        return True, ""
    bases = [entry for entry in read_library(current().settings).entries if entry.is_base]
    fits = next((entry.name for entry in bases if preset.family in entry.families), "")
    return bool(bases), fits


def _download(preset: Preset) -> Task | None:
    place = resolve(preset.model, current().settings.data_dir)
    return orders.download_of(place) if isinstance(place, Hub) else None


def _drawing() -> Task | None:
    dataset = sample.find()
    return tasks.latest(f"dataset:{dataset.id}", sample.KIND) if dataset else None


def _installing(engines: Sequence[Installation], wanted: str) -> Task | None:
    """What is under way for any engine; else how it went with the one that is wanted."""
    newest = [task for engine in engines if (task := installing.newest(engine.name))]
    under_way = next((task for task in newest if not task.is_final), None)
    return under_way or _unless_done(installing.newest(wanted))


def _dataset() -> Dataset | None:
    """The first by name that holds pictures; else the first."""
    known = library.all()
    return next((dataset for dataset in known if dataset.images), known[0] if known else None)


def _unless_done(task: Task | None) -> Task | None:
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
    orders.download(current().settings, _preset().model)
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
