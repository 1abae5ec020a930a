"""What a text is: a config of either engine, a dataset config, prompts, or a spec of ours."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from app.errors import UserError
from engines import yamltext

Kind = Literal["spec", "ai-toolkit", "kohya_ss", "dataset", "prompts"]
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TOML_LINE = re.compile(r"^\s*([\w.-]+\s*=|\[\[?[\w. -]+\]\]?\s*$)", re.MULTILINE)


class NotImportableError(UserError):
    """The file is no training config of either engine, or one that makes no LoRA."""

    status = 422


@dataclass(frozen=True)
class Recognised:
    """One text: its kind, the text as its reader wants it, and how many values it holds."""

    kind: Kind
    text: str
    data: dict[str, Any]
    values: int


def recognise(text: str, name: str) -> Recognised:
    """By content, with the ending of ``name`` where content leaves it open.

    Raises NotImportableError, with line and column where the text is broken.
    """
    if not text.strip():
        raise NotImportableError(f"{name} is empty.")
    if Path(name).suffix.lower() == ".txt" and not text.lstrip().startswith("{"):
        return Recognised("prompts", text, {}, 0)
    plain, data = _parsed(text, name)
    if _are_prompts(data, name):
        _read("config", yamltext.count, data, name)
        return Recognised("prompts", plain, {}, 0)
    if not isinstance(data, dict):
        raise NotImportableError(f"{name} is no config: it must be a mapping of names to values.")
    count = _read("config", yamltext.count, data, name)
    return Recognised(_kind(data), plain, data, count)


def _are_prompts(data: Any, name: str) -> bool:
    """Whether it is what sd-scripts reads prompts from beside plain text."""
    if isinstance(data, list) and Path(name).suffix.lower() == ".json":
        return bool(data) and all(
            isinstance(entry, str) or (isinstance(entry, dict) and "prompt" in entry)
            for entry in data
        )
    return isinstance(data, dict) and {*data} == {"prompt"} and isinstance(data["prompt"], dict)


def _kind(data: Mapping[str, Any]) -> Kind:
    if isinstance(data.get("config"), dict):
        return "ai-toolkit"
    if "family" in data and ("length" in data or "datasets" in data or "version" in data):
        return "spec"
    trains = "network_module" in data or "network_dim" in data or "LoRA_type" in data
    nested = any(isinstance(v, dict) and "network_module" in v for v in data.values())
    if isinstance(data.get("datasets"), list) and not trains and not nested:
        return "dataset"
    return "kohya_ss"


def _parsed(text: str, name: str) -> tuple[str, Any]:
    """The text without comments that JSON does not know, and its document."""
    suffix = Path(name).suffix.lower()
    if text.lstrip().startswith("{") or suffix in (".json", ".jsonc"):
        return _json(text, name)
    if suffix == ".toml" or (suffix not in (".yaml", ".yml") and _TOML_LINE.search(text)):
        return text, _read("TOML", tomllib.loads, text, name)
    return text, _read("YAML", yamltext.read, text, name)


def _read(form: str, reader: Callable[[Any], Any], given: Any, name: str) -> Any:
    try:
        return reader(given)
    except yamltext.TooLargeError as error:
        raise NotImportableError(
            f"{name} holds more than {yamltext.MOST_VALUES} values; no config does."
        ) from error
    except (RecursionError, yamltext.TooDeepError) as error:
        raise _too_deep(name) from error
    except (ValueError, yaml.YAMLError) as error:
        raise NotImportableError(f"{name} is no valid {form}: {_told(error)}.") from error


def _too_deep(name: str) -> NotImportableError:
    return NotImportableError(f"{name} is nested too deeply to be a config.")


def _json(text: str, name: str) -> tuple[str, Any]:
    try:
        try:
            return text, json.loads(text)
        except ValueError:
            # Comments become blanks, so that lines and columns stay.
            plain = _COMMENT.sub(lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), text)
            plain = re.sub(r",(\s*[}\]])", r" \1", plain)
            return plain, _read("JSON", json.loads, plain, name)
    except RecursionError as error:
        raise _too_deep(name) from error


def _told(error: Exception) -> str:
    """What is wrong, and where."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} at line {mark.line + 1}, column {mark.column + 1}" if mark else problem
