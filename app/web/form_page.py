"""What the New job form is drawn from: every field with its state, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.base_models import read_library
from app.jobs import retention, service
from app.jobs.cluster_card import cluster_card
from app.jobs.installations import Installation
from app.platform import current
from app.web import family_choice, forms, memory_choice, model_state, place_fields
from app.web.field_views import Drawing, View
from app.web.glossary import term_of
from app.web.places import Place, pattern_of, place_of
from engines import abilities, families, presets
from engines.families import Family
from engines.fields import table
from engines.spec import EngineName

if TYPE_CHECKING:
    from app.slurm.nodes import Cluster

BASIC = (
    "name", "family", "engine", "base_model", "components", "datasets[].path", "datasets[].repeats",
    "trigger_word", "length.steps", "length.epochs",
)  # fmt: skip
"""What stands above the sections, from top to bottom."""
SECTIONS = (
    ("family", "Of this model"), ("datasets", "More about the datasets"), ("network", "Network"),
    ("optimizer", "Optimizer"), ("batch", "Batch"), ("memory", "Memory"), ("saving", "Saving"),
    ("sampling", "Samples"), ("buckets", "Buckets"), ("loss", "Loss"), ("ema", "EMA"),
    ("job", "Further"),
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One closed group of fields. ``groups`` are (heading, fields), one for each dataset."""

    key: str
    title: str
    groups: tuple[tuple[str, tuple[View, ...]], ...]

    @property
    def views(self) -> tuple[View, ...]:
        """All its fields."""
        return tuple(view for _, views in self.groups for view in views)

    @property
    def opened(self) -> bool:
        """Whether something in it has to be seen."""
        return any(view.error for view in self.views)

    @property
    def filled(self) -> int:
        """How many of its fields hold something."""
        return sum(bool(view.value) for view in self.views)


def placed(errors: Mapping[str, str], family: str) -> list[tuple[Place, str]]:
    """Errors with the place where each one can be put right, in the order of the page."""
    return [(place_of(name, family), errors[name]) for name in sorted(errors, key=_on_page)]


def _on_page(name: str) -> int:
    pattern, keys = pattern_of(name), [key for key, _ in SECTIONS]
    for place, basic in enumerate(BASIC):
        if pattern == basic or pattern.startswith(f"{basic}.") or basic.startswith(f"{pattern}."):
            return place
    group = pattern.partition(".")[0].removesuffix("[]")
    return len(BASIC) + (keys.index(group) if group in keys else len(keys))


def context(values: dict[str, str], errors: dict[str, str]) -> dict[str, Any]:
    """What fragments/job_fields.html needs."""
    family = families.get(values.get("family", ""))
    engine = values.get("engine", "auto")
    installed = {found.name: found for found in service.engines()}
    likely = engine if engine != "auto" else _likely(family, installed)
    usual = _usual(values)
    card = memory_choice.card_of(values) or usual.gb
    document, _ = forms.read(values)
    choices = presets.explain(document, gpu=usual.gpu, vram_gb=card)
    whole = presets.complete(document, gpu=usual.gpu, vram_gb=card)
    drawing = Drawing(
        form=values,
        errors=_at_inputs(errors, values.get("family", "")),
        defaults=forms.defaults(whole),
        limits=abilities.limits(values.get("family", ""), _asked(engine, family, installed)),
        engine=likely if family and len(family.engines) == 1 else engine,
        origins={choice.path: choice for choice in reversed(choices)},
        beside={"saving.every_steps": retention.planned(whole)},
    )
    count, folders = forms.dataset_count(values), service.dataset_folders()
    page = _Page(drawing, family, likely, count, tuple(folders))
    return {
        "form": values,
        "errors": errors,
        "complaints": placed(errors, values.get("family", "")),
        "draw": drawing.view,
        "sections": [*page.sections()],
        "groups": family_choice.groups(_there(installed), card if usual.gpu else None),
        "family": family,
        "components": page.parts(needed=True),
        "datasets": [page.dataset(number) for number in range(count)],
        "folders": folders, "gpus": current().gpus.report().gpus,
        "card_term": term_of("card"),
        "memory": memory_choice.draw(values, usual, engine, choices),
        "engines": installed,
        "model": model_state.of(values),
        "models": _models(family),
        "place": place_fields.draw(current().settings, values, _cluster()),
    }  # fmt: skip


def _usual(values: Mapping[str, str]) -> memory_choice.Usual:
    """The card of a job where nobody chooses one: of the partition that it would go to, or here."""
    there = cluster_card(current(), place_fields.read(values))
    return memory_choice.usual(current().gpus.report(), there)


def _cluster() -> Cluster | None:
    """The cluster as Slurm told it last."""
    watch = current().cluster
    return watch.report().cluster if watch else None


def _models(family: Family | None) -> list[str]:
    """Base models to offer: the usual one, then what of the family is on this machine."""
    if family is None:
        return []
    here = read_library(current().settings).names_for(family.key)
    return list(dict.fromkeys(filter(None, (family.default_model, *here))))


def _at_inputs(errors: Mapping[str, str], family: str) -> dict[str, str]:
    """Errors by the input they are shown at; several at one input stand after each other."""
    found: dict[str, str] = {}
    for name, text in errors.items():
        anchor = place_of(name, family).anchor
        inner = anchor == "engine_options" != name
        shown = f"{name.removeprefix('engine_options.')}: {text}" if inner else text
        found[anchor] = f"{found[anchor]} {shown}" if anchor in found else shown
    return found


def _likely(family: Family | None, installed: Mapping[EngineName, Installation]) -> str:
    """Who will train it when nobody was chosen."""
    able = family.engines if family else ()
    return next((name for name in able if installed[name].installed), (*able, "")[0])


def _asked(engine: str, family: Family | None, installed: Mapping[EngineName, Installation]) -> str:
    """Whose limits count: the chosen one's, or those of the only one that is there."""
    there = [name for name in (family.engines if family else ()) if installed[name].installed]
    return there[0] if engine == "auto" and len(there) == 1 else engine


def _there(installed: Mapping[EngineName, Installation]) -> list[EngineName]:
    return [name for name, found in installed.items() if found.installed]


@dataclass(frozen=True)
class _Page:
    """The fields in their places. ``likely`` is the engine that will train, chosen or not."""

    drawing: Drawing
    family: Family | None
    likely: str
    count: int
    folders: tuple[str, ...]

    def dataset(self, number: int) -> tuple[View, ...]:
        """What stands in the open part for one dataset."""
        path, repeats = (
            self.drawing.view(f"datasets.{number}.{key}") for key in ("path", "repeats")
        )
        return (replace(path, offers=self.folders), repeats, *self._inputs("datasets[]", number))

    def sections(self) -> Iterator[Section]:
        """The closed groups, without those that hold nothing."""
        for key, title in SECTIONS:
            if key == "datasets":
                groups = [
                    (f"Dataset {number + 1}", tuple(self._rows(key, number)))
                    for number in range(self.count)
                ]
            else:
                groups = [("", (*self._rows(key), *self._further(key)))]
            if any(views for _, views in groups):
                yield Section(key, title, tuple(groups))

    def parts(self, *, needed: bool) -> tuple[View, ...]:
        """Files beside the base model; among the needed ones also those that nobody takes."""
        family = self.family.key if self.family else ""
        known = abilities.parts(family, self.likely)
        held = {
            name.removeprefix("components.")
            for name in (*self.drawing.form, *self.drawing.errors)
            if name.startswith("components.")
            and (self.drawing.form.get(name, "").strip() or name in self.drawing.errors)
        }
        kohya = self.family.kohya if self.family and self.likely == "kohya_ss" else None
        published = kohya.found_at if kohya else {}
        strange = sorted(held - {*known}) if needed else []
        fitting = [name for name, must in known.items() if must == needed]
        return (
            *(
                self.drawing.part(name, needed=needed, found_at=published.get(name, ""))
                for name in fitting
            ),
            *(self.drawing.part(name, needed=False, stranger=self.likely) for name in strange),
        )

    def _rows(self, key: str, number: int = 0) -> Iterator[View]:
        for row in table().values():
            if row.section == key and row.path not in (*BASIC, "version"):
                yield self.drawing.view(row.path.replace("[]", f".{number}"))

    def _further(self, key: str) -> tuple[View, ...]:
        """What a section holds beside the fields of the table."""
        if key == "sampling":
            return (*self._inputs("sample.samples[]"), *self._inputs("sample."))
        if key == "family":
            return (*self._inputs("model."), *self._inputs("train."), *self.parts(needed=False))
        return ()

    def _inputs(self, head: str, number: int = 0) -> Iterator[View]:
        """The family's own inputs below a native group; only ai-toolkit takes any."""
        for item in self.family.inputs if self.family else ():
            if not item.path.startswith(head) or (head == "sample." and "[]" in item.path):
                continue
            view = self.drawing.input(item, number)
            if self.likely == "ai-toolkit" or view.value:
                yield view
