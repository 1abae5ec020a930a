"""Every field of the New job form as it is drawn: its value, its choices, and what cannot be had."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.web.family_inputs import text_of
from app.web.filters import bound
from app.web.glossary import Term, term_of
from app.web.places import input_name, pattern_of
from engines.abilities import Limits, words
from engines.catalogue.inputs import FamilyInput
from engines.fields import Row, table
from engines.presets import Choice

_SWITCH = {"true": "on", "false": "off"}
_ADVICE = re.compile(
    r"(; |\. )(use|set|leave|it has|choose|remove|switch|write|Use|Set|Leave|Choose)\b[^.]*(?=\.|$)"
)
_FEW = 3
_TELLING = 1024
"""A larger bound is told only to those who run into it."""
_TYPED = ("optimizer.name",)
"""Fields with known words that also take others: a dotted class of optimizer."""


@dataclass(frozen=True)
class Option:
    """One line of a select."""

    value: str
    label: str
    selected: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class View:
    """One field. ``why`` says that it cannot be had and greys it out; ``refused`` that it holds a
    value which cannot be had, told in ``error``, with a button that leaves it out."""

    name: str
    title: str
    help: str
    unit: str = ""
    widget: str = "input"
    value: str = ""
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    offers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    native: str = ""
    error: str = ""
    why: str = ""
    refused: bool = False
    numeric: bool = False
    wide: bool = False
    term: Term | None = None
    """Its word in the glossary."""

    @property
    def described(self) -> str:
        """Ids of the texts that describe the input."""
        parts = {"help": True, "why": bool(self.why), "error": bool(self.error)}
        return " ".join(f"{self.name}-{part}" for part, there in parts.items() if there)


@dataclass(frozen=True)
class Drawing:
    """What all fields of one form are drawn from.

    ``defaults`` are texts by field, ``origins`` say where a default came from, by path;
    ``engine`` is the chosen engine or "auto".
    """

    form: Mapping[str, str]
    errors: Mapping[str, str]
    defaults: Mapping[str, str]
    limits: Limits
    engine: str
    origins: Mapping[str, Choice] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    """What the values of a form come to, by path."""

    def view(self, name: str) -> View:
        """A field of the table, by its dotted name with the number of its dataset."""
        row = table()[pattern_of(name)]
        value = self.form.get(name, "").strip()
        sentence = self._complaint(row, value)
        closed = self.limits.unavailable.get(row.path, "")
        asks = bool(value) and not _same(value, self._own_default(row))
        default = self.defaults.get(name, "")
        return View(
            name=name,
            title=row.title,
            help=row.help + _bounds(row),
            unit=row.unit if row.unit != row.title.lower() else "",
            widget=_widget(row),
            value=value,
            placeholder=_placeholder(row, default),
            options=self._options(row, value, default) if _widget(row) == "select" else (),
            offers=self._offers(row.path) if row.path in _TYPED else (),
            notes=() if closed and not asks else tuple(self._notes(row)),
            native=self._native(row),
            error=self.errors.get(name) or (sentence if asks else ""),
            why=brief(closed) if closed and not asks and name not in self.errors else "",
            refused=asks and bool(sentence),
            numeric=row.kind in ("integer", "number"),
            wide=row.kind == "mapping" or row.path == "sampling.prompts",
            term=term_of(row.path),
        )

    def input(self, item: FamilyInput, dataset: int = 0) -> View:
        """One of the family's own inputs."""
        name = input_name(item, dataset)
        value = self.form.get(name, "").strip("\r\n" if "[]" in name else None)
        default = text_of(item.default)
        several = "sample.samples[]" in item.path
        options: tuple[Option, ...] = ()
        if item.kind == "switch":
            options = _switch(value, default)
        return View(
            name=name,
            title=item.title,
            help=item.help + (" One path a line, in the order of the prompts." if several else ""),
            unit=item.unit,
            widget="area" if several else "select" if options else "input",
            value=value,
            placeholder="" if several else default or ("" if item.required else "none"),
            options=options,
            native=f"ai-toolkit: {item.path}",
            error=self._error_below(name),
            numeric=item.kind in ("integer", "number"),
            wide=several,
        )

    def part(self, name: str, *, needed: bool, stranger: str = "", found_at: str = "") -> View:
        """A component's path; ``stranger`` is the engine that takes no such part.

        ``found_at`` is where the part is published.
        """
        path = f"components.{name}"
        says = f"Path of the {name} file." if needed else f"Path of another {name}."
        if found_at:
            says += f" Published as {found_at}."
        wrong = f"{stranger} takes no {name} for this model." if stranger else ""
        return View(
            name=path,
            title=name,
            help=says,
            unit="needed" if needed else "component",
            value=self.form.get(path, "").strip(),
            placeholder="" if needed else "the model's own",
            error=self.errors.get(path, "") or wrong,
            refused=bool(stranger),
        )

    def _error_below(self, name: str) -> str:
        """The error at a field; one text stands for all prompts."""
        head, several, tail = name.partition("[]")
        if not several:
            return self.errors.get(name, "")
        fitting = re.compile(rf"{re.escape(head)}(\[\]|\.\d+){re.escape(tail)}")
        return " ".join(text for key, text in self.errors.items() if fitting.fullmatch(key))

    def _own_default(self, row: Row) -> str:
        """What the spec itself takes for a blank field; asking for it asks for nothing."""
        if isinstance(row.default, tuple):
            return ", ".join(map(str, row.default))
        return text_of(row.default) if row.default != {} else ""

    def _complaint(self, row: Row, value: str) -> str:
        """Why a value cannot be had; empty when it can."""
        refused = self.limits.values.get(row.path, {})
        return refused.get(value.lower(), "") or self.limits.unavailable.get(row.path, "")

    def _options(self, row: Row, value: str, default: str) -> tuple[Option, ...]:
        known = words(row.path) or ("true", "false")
        refused = self.limits.values.get(row.path, {})
        only = self.limits.only_values.get(row.path, {})
        blank = _SWITCH.get(default, default) or "the family's own"
        found = [Option("", f"{blank} (default)")]
        for word in (*known, *((value,) if value and value not in known else ())):
            label = _SWITCH.get(word, word)
            if word in refused:
                label += " (not possible)"
            elif word in only:
                label += f" ({only[word]} only)"
            chosen = word == value
            found.append(Option(word, label, chosen, disabled=word in refused and not chosen))
        return tuple(found)

    def _offers(self, path: str) -> tuple[str, ...]:
        """Words of a text field that can be had."""
        refused = self.limits.values.get(path, {})
        return tuple(word for word in words(path) if word not in refused)

    def _notes(self, row: Row) -> Iterable[str]:
        if row.path in self.limits.only:
            yield f"{self.limits.only[row.path]} only."
        if _widget(row) == "select":
            yield from _refused_choices(self.limits.values.get(row.path, {}))
        if self.beside.get(row.path):
            yield self.beside[row.path]
        choice = self.origins.get(row.path)
        if choice is not None:
            price = f"; price: {choice.price}" if choice.price not in ("", "nothing") else ""
            word = "Default from" if choice.untested else "Default:"
            yield f"{word} {choice.source}{price}."

    def _native(self, row: Row) -> str:
        """The engines' own names, or that of the chosen one."""
        return " · ".join(
            f"{name.removesuffix('_ss')}: {key}"
            for name, key in sorted(row.native.items(), reverse=True)
            if key and self.engine in ("auto", name)
        )


def brief(sentence: str) -> str:
    """A refusal without its advice, which is for those who asked: only what cannot be had."""
    return _ADVICE.sub("", sentence).rstrip(". ") + "." if sentence else ""


def _refused_choices(refused: Mapping[str, str]) -> Iterable[str]:
    """Why choices are greyed out, one sentence for all that are refused alike."""
    alike: dict[str, list[str]] = {}
    for word, sentence in refused.items():
        plain = re.sub(rf"'?\b{re.escape(word)}\b'?", "{}", brief(sentence))
        alike.setdefault(plain, []).append(word)
    for plain, found in alike.items():
        if len(found) <= _FEW or "{}" not in plain:
            yield plain.replace("{}", " or ".join(found))
        else:
            yield plain.replace("{}", f"{found[0]} and {len(found) - 1} others, greyed out")


def _same(value: str, default: str) -> bool:
    """Whether two texts mean one value: 0.0 is 0."""
    try:
        return value == default or float(value) == float(default)
    except ValueError:
        return False


def _widget(row: Row) -> str:
    if row.kind == "mapping" or row.path == "sampling.prompts":
        return "area"
    listed = bool(words(row.path)) and row.path not in _TYPED
    return "select" if listed or row.kind == "switch" else "input"


def _placeholder(row: Row, default: str) -> str:
    if row.path == "sampling.prompts":
        return "a photo of [trigger] in the snow"
    return "key: value" if row.kind == "mapping" else default or ("none" if row.optional else "")


def _switch(value: str, default: str) -> tuple[Option, ...]:
    blank = Option("", f"{_SWITCH.get(default, 'off')} (default)")
    return (blank, *(Option(word, label, word == value) for word, label in _SWITCH.items()))


def _bounds(row: Row) -> str:
    """What a person might run into."""
    if row.minimum is None or row.maximum is None or row.maximum > _TELLING:
        return ""
    return f" {bound(row.minimum)}\u00a0to\u00a0{bound(row.maximum)}."
