"""Reads a native config of either engine into a canonical document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.errors import UserError
from app.jobs import sentences
from engines.ai_toolkit import importing as ai_toolkit
from engines.importing import Imported, NotAConfigError
from engines.kohya_ss import importing as kohya
from engines.spec import JobSpec


class NotImportableError(UserError):
    """The file is no training config of either engine, or one that makes no LoRA."""

    status = 422


@dataclass(frozen=True)
class ImportedSpec:
    """The canonical document, one line per key that was dropped or translated, and what is open."""

    document: dict[str, Any]
    lines: tuple[str, ...]
    gaps: dict[str, str]


def read(text: str, path: Path, companions: Mapping[str, str] | None = None) -> ImportedSpec:
    """Recognise the form by ending and content, and translate. Raises NotImportableError.

    ``companions`` are the texts of further files by base name, such as the dataset config that
    a training config of sd-scripts names.
    """
    try:
        imported = _translate(text, path, companions or {})
        spec = JobSpec.model_validate(imported.document)
    except NotAConfigError as error:
        raise NotImportableError(f"{path.name}: {error}") from error
    except ValidationError as error:
        found = "; ".join(f"{field}: {text}" for field, text in sentences.explain(error).items())
        raise NotImportableError(f"{path.name} holds values that make no sense: {found}") from error
    return ImportedSpec(imported.document, imported.lines, spec.missing())


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


def _translate(text: str, path: Path, companions: Mapping[str, str]) -> Imported:
    if path.suffix.lower() in (".yaml", ".yml") or _is_ai_toolkit_json(text):
        return ai_toolkit.import_config(text, path.name)
    return kohya.import_config(text, path.name, companions)


def _is_ai_toolkit_json(text: str) -> bool:
    try:
        data = json.loads(text)
    except ValueError:
        return False
    return isinstance(data, dict) and isinstance(data.get("config"), dict)
