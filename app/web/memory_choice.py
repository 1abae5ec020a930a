"""The choice of a card in the New job form: what it sets, its price, and whether it fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.gpu import GpuReport
from app.jobs.cluster_card import ClusterCard
from app.web.family_inputs import text_of
from engines import families
from engines.fields import title_of
from engines.presets import Choice, ladder


@dataclass(frozen=True)
class MemoryChoice:
    """``sets`` are (field, title, value) of the preset; ``why`` greys the choice out.

    ``prices`` and ``sources`` are without repeats; ``label`` says how far to trust it;
    ``misfit`` is a sentence when the card is smaller than any source speaks of, ``nothing`` one
    for a card that needs no preset.
    """

    options: tuple[tuple[str, str], ...]
    chosen: str
    sets: tuple[tuple[str, str, str], ...] = ()
    prices: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    label: str = ""
    misfit: str = ""
    nothing: str = ""
    why: str = ""


@dataclass(frozen=True)
class Usual:
    """The card that a job gets where nobody chose one: this machine's, or its partition's.

    ``gb`` None: not known. Without ``gpu`` it trains on the processor.
    """

    gpu: bool
    gb: float | None
    name: str = ""


def usual(report: GpuReport, there: ClusterCard | None) -> Usual:
    """``there`` is where a job for the cluster would run; None: it runs here."""
    if there is not None:
        return Usual(True, there.gb, there.where)
    name = re.sub(r"^NVIDIA (GeForce )?", "", report.gpus[0].name) if report.gpus else ""
    return Usual(bool(report.gpus), report.smallest_gb, name)


def card_of(form: Mapping[str, str]) -> float | None:
    """The card chosen in the form, in GB; None for the one that is here."""
    text = form.get("card", "")
    return float(text) if text in map(str, ladder.cards_gb()) else None


def draw(
    form: Mapping[str, str], usual: Usual, engine: str, choices: Iterable[Choice]
) -> MemoryChoice:
    """The select and what stands beside it. ``choices`` are the defaults that apply now."""
    if not usual.gpu:
        why = "This machine has no GPU, so no preset applies."
        return MemoryChoice((("", "no GPU here"),), "", why=why)
    card = card_of(form) or usual.gb
    auto = f"auto: {usual.gb:.0f} GB, {usual.name}" if usual.gb else f"auto: {usual.name}"
    each = _presets(form.get("family", ""), engine, card)
    misfit = _misfit(each)
    preset = [choice for choice in choices if choice.untested]
    return MemoryChoice(
        options=(("", auto), *((str(gb), f"{gb} GB") for gb in ladder.cards_gb())),
        chosen=form.get("card", "") if card_of(form) else "",
        sets=tuple((c.path.replace("[]", ".0"), title_of(c.path), _shown(c.value)) for c in preset),
        prices=tuple(dict.fromkeys(c.price for c in preset if c.price not in ("", "nothing"))),
        sources=tuple(dict.fromkeys(c.source for c in preset)),
        label=ladder.label() if preset else "",
        nothing=each[0].sentence if each and not preset and not misfit else "",
        misfit=misfit,
    )


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else text_of(value)


def _misfit(each: Sequence[ladder.Preset]) -> str:
    fitting = [of for of in each if of.fits is not False]
    if len(fitting) == len(each):
        return ""
    if not fitting:
        return each[0].sentence
    return f"On {each[0].card_gb} GB only {fitting[0].engine} will probably fit; choose it."


def _presets(family: str, engine: str, card: float | None) -> list[ladder.Preset]:
    """The preset of each engine that may train it."""
    found = families.get(family)
    able = [name for name in (found.engines if found else ()) if engine in ("auto", name)]
    return [ladder.preset(family, name, card) for name in able] if card is not None else []
