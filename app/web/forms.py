"""Form fields in, spec document out; and a document back into form fields.

Fields are named by their dotted path (``datasets.0.path``). A blank field is left out, so that
the default of the family and the GPU applies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from app import yaml_text
from app.numbers import whole
from app.web import family_inputs
from app.web.places import TOOLKIT
from engines import yamltext
from engines.fields import Row, table

MOST_DATASETS = 20
_DATASET = re.compile(r"^(?:engine_options\.ai-toolkit\.)?datasets\.(\d{1,3})\.")


def read(form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The document, and a sentence for each field whose text is no YAML."""
    document: dict[str, Any] = {}
    errors: dict[str, str] = {}
    count = dataset_count(form)
    for row in table().values():
        if row.path == "version":
            continue
        for name in _names(row.path, count):
            text = form.get(name, "").strip()
            if not text:
                continue
            try:
                _place(document, name, _value(row, text))
            except yaml.YAMLError as error:
                errors[name] = f"This is not valid YAML: {getattr(error, 'problem', error)}."
    _read_components(form, document)
    family_inputs.read(form, document, errors)
    datasets = document.get("datasets")
    if isinstance(datasets, dict):
        document["datasets"] = [datasets[key] for key in sorted(datasets, key=int)]
    return document, errors


def _read_components(form: Mapping[str, str], document: dict[str, Any]) -> None:
    for name, text in form.items():
        if name.startswith("components.") and text.strip():
            document.setdefault("components", {})[name.removeprefix("components.")] = text.strip()


def dataset_count(form: Mapping[str, str]) -> int:
    """How many dataset rows the form holds: at least one."""
    found = [int(m[1]) + 1 for name in form if (m := _DATASET.match(name))]
    return max(1, min(MOST_DATASETS, max(found, default=1)))


def _names(path: str, datasets: int) -> list[str]:
    if path.startswith("datasets[]."):
        return [path.replace("[]", f".{index}") for index in range(datasets)]
    return [path]


def _value(row: Row, text: str) -> Any:
    if row.path == "resume":
        return text if text in ("auto", "never") else {"from": _job_or_path(text)}
    if row.path == "sampling.prompts":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if row.kind == "list":
        return [item for item in re.split(r"[\s,]+", text) if item]
    if row.kind == "mapping":
        return yamltext.read(text)
    return text


def _job_or_path(text: str) -> int | str:
    number = whole(text) if text.isdecimal() else None
    return text if number is None else number


def _place(document: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    place = document
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = value


def fill(document: Mapping[str, Any]) -> dict[str, str]:
    """Form fields that show a document."""
    form: dict[str, str] = {}
    count = max(1, len(document.get("datasets") or []))
    for row in table().values():
        for name in _names(row.path, count):
            value = _find(document, name)
            if value is not None and value not in ("", {}, []):
                form[name] = _text(row, value)
    for name, path in (document.get("components") or {}).items():
        form[f"components.{name}"] = str(path)
    fields, rest = family_inputs.fill(document)
    if fields:
        form.pop("engine_options", None)
        form.update(fields)
        if rest:
            form["engine_options"] = _text(table()["engine_options"], rest)
    return form


def settle(form: dict[str, str]) -> None:
    """Give every engine option the place it has for the family that is chosen now.

    What the family has an input for goes there, the rest into the text of engine options, so
    that nothing is lost when the family changes. A text that cannot be read stays as it is.
    """
    document, errors = read(form)
    if errors or not isinstance(document.get("engine_options"), dict):
        return
    fields, rest = family_inputs.fill(document)
    if fields == {name: text for name, text in form.items() if name.startswith(TOOLKIT) and text}:
        return
    for name in [name for name in form if name.startswith(TOOLKIT)]:
        del form[name]
    form.update(fields)
    form["engine_options"] = _text(table()["engine_options"], rest) if rest else ""


def _find(document: Any, name: str) -> Any:
    place = document
    for part in name.split("."):
        if isinstance(place, list | tuple):
            index = int(part) if part.isdigit() else -1
            place = place[index] if 0 <= index < len(place) else None
        elif isinstance(place, Mapping):
            place = place.get(part)
        else:
            return None
    return place


def _text(row: Row, value: Any) -> str:
    if row.path == "resume" and isinstance(value, Mapping):
        return str(value.get("from", ""))
    if row.path == "sampling.prompts":
        return "\n".join(str(prompt) for prompt in value)
    if row.kind == "list":
        return ", ".join(str(item) for item in value)
    if row.kind == "mapping":
        return yaml_text.dump(value).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Six digits read best; where they are not the number, all of it is shown.
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def defaults(document: Mapping[str, Any]) -> dict[str, str]:
    """What each field is when it is left blank, as text: family and hardware defaults first."""
    found = fill(document)
    shown = {}
    for row in table().values():
        own = "" if row.default in (None, "", {}, ()) else _text(row, row.default)
        for name in _names(row.path, max(1, len(document.get("datasets") or []))):
            shown[name] = found.get(name, own)
    return shown
