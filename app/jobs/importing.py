"""Reads a native config of either engine, or a spec of ours, into a canonical document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.jobs import sentences
from app.jobs.recognising import NotImportableError, Recognised, recognise
from engines.ai_toolkit import importing as ai_toolkit
from engines.importing import Imported, NotAConfigError
from engines.kohya_ss import importing as kohya
from engines.spec import JobSpec

__all__ = ["ImportedSpec", "NotImportableError", "companions_of", "read", "read_files"]

_CALLED = {
    "spec": "a spec of this program", "ai-toolkit": "an ai-toolkit config",
    "kohya_ss": "a kohya_ss config",
}  # fmt: skip


@dataclass(frozen=True)
class ImportedSpec:
    """The canonical document, one line per key that was dropped or translated, and what is open.

    ``what`` says in words what was read; ``taken`` counts the values that are in the document as
    they were.
    """

    document: dict[str, Any]
    lines: tuple[str, ...]
    gaps: dict[str, str]
    what: str = ""
    taken: int = 0

    def told(self, start: str) -> list[str]:
        """The lines that begin with "dropped" or "translated", without that word."""
        return [line.removeprefix(f"{start} ") for line in self.lines if line.startswith(start)]


def read(text: str, path: Path, companions: Mapping[str, str] | None = None) -> ImportedSpec:
    """Recognise the form by content and ending, and translate. Raises NotImportableError.

    ``companions`` are the texts of further files by base name, such as the dataset config that
    a training config of sd-scripts names.
    """
    beside = dict(companions or {})
    found = recognise(text, path.name)
    try:
        imported = _translate(found, path, beside)
        spec = JobSpec.model_validate(imported.document)
    except NotAConfigError as error:
        raise NotImportableError(f"{path.name}: {error}") from error
    except ValidationError as error:
        told = "; ".join(f"{field}: {text}" for field, text in sentences.explain(error).items())
        raise NotImportableError(f"{path.name} holds values that make no sense: {told}") from error
    values = found.values + sum(_values(text, name) for name, text in beside.items())
    return ImportedSpec(
        imported.document, imported.lines, spec.missing(), _CALLED.get(found.kind, "a config"),
        max(0, values - len(imported.lines)),
    )  # fmt: skip


def read_files(files: Mapping[str, str]) -> tuple[str, ImportedSpec]:
    """One training config among several files by name, the others beside it; with its name.

    Raises NotImportableError where there is none, or more than one.
    """
    kinds = {name: recognise(text, name).kind for name, text in files.items()}
    configs = [name for name, kind in kinds.items() if kind not in ("dataset", "prompts")]
    if len(configs) > 1:
        raise NotImportableError(
            f"{' and '.join(configs)} are two trainings. Import them one after the other."
        )
    if not files:
        raise NotImportableError("Nothing was given. Choose a file, drop one, or paste its text.")
    if not configs and "dataset" not in kinds.values():
        raise NotImportableError(f"{next(iter(files))} holds prompts alone, no training config.")
    name = (configs or [name for name, kind in kinds.items() if kind == "dataset"])[0]
    beside = {other: text for other, text in files.items() if other != name}
    return name, read(files[name], Path(name), beside)


def companions_of(text: str, path: Path) -> dict[str, str]:
    """Texts of the files that a TOML names as its dataset config or prompts, if they lie beside it.

    A name counts from the config's own folder, or by its last part; no other place is looked at.
    """
    found: dict[str, str] = {}
    if path.suffix.lower() not in (".toml", ".json"):
        return found
    for name in re.findall(r'"?(?:dataset_config|sample_prompts)"?\s*[:=]\s*"([^"\n]+)"', text):
        last = re.split(r"[/\\]", name)[-1]
        for place in (path.parent / name, path.parent / last):
            if last and place.is_file() and place.resolve().is_relative_to(path.parent.resolve()):
                found[last] = place.read_text("utf-8")
                break
    return found


def _values(text: str, name: str) -> int:
    """How many values a further file holds; none where it is no document, as prompts are not."""
    try:
        return recognise(text, name).values
    except NotImportableError:
        return 0


def _translate(found: Recognised, path: Path, companions: Mapping[str, str]) -> Imported:
    if found.kind == "spec":
        return Imported(found.data, ())
    if found.kind == "ai-toolkit":
        return ai_toolkit.import_config(found.text, path.name)
    return kohya.import_config(found.text, path.name, companions)
