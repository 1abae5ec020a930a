"""A native config while it is read: its values by path, each to be accounted for once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from engines import yamltext
from engines.ai_toolkit.draft import place
from engines.ai_toolkit.overrides import LISTS, NAME, is_key, leaves
from engines.families import AiToolkitFamily
from engines.importing import NotAConfigError

ABSENT: Any = object()


def load(text: str) -> dict[str, Any]:
    """The document of a YAML or JSON config. Raises NotAConfigError."""
    try:
        # Its own reader takes 1e-4 for a number.
        document = (
            json.loads(text)
            if text.lstrip().startswith("{")
            else yamltext.read(text, exponents=True)
        )
    except (RecursionError, yamltext.TooDeepError) as error:
        raise NotAConfigError("It is nested too deeply to be a config.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise NotAConfigError(f"It is neither JSON nor YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise NotAConfigError("It has no config section, so it is no ai-toolkit config.")
    return document


@dataclass
class Source:
    """What is left to read, what was understood, and a line for each value that changed."""

    values: dict[str, Any]
    document: dict[str, Any] = field(default_factory=dict)
    native: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    engine: AiToolkitFamily | None = None

    def take(self, path: str, default: Any = ABSENT) -> Any:
        """The value at ``path``, which is then accounted for; ``default`` where there is none."""
        return self.values.pop(path, default)

    def take_inner(self, path: str) -> Any:
        """The same for a key that may stand in a free dictionary, which is one value; else None."""
        if self.has(path):
            return self.take(path)
        group, _, key = path.rpartition(".")
        whole = self.values.get(group)
        if not isinstance(whole, dict) or whole.get(key) is None:
            return None
        self.values[group] = {name: value for name, value in whole.items() if name != key}
        if not self.values[group]:
            self.take(group)
        return whole[key]

    def has(self, path: str) -> bool:
        """Whether a value that is not null is left there."""
        return self.values.get(path) is not None

    def set(self, target: str, value: Any) -> None:
        """Fill a canonical field, dotted; datasets by number: ``datasets.0.path``."""
        place(self.document, re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", target), value)

    def keep(self, path: str, value: Any) -> None:
        """Carry a native key over into the engine options."""
        place(self.native, path, value)

    def translated(self, path: str, target: str, value: Any = ABSENT, why: str = "") -> None:
        """Say that ``path`` became ``target``; set it too where a value is given."""
        self.lines.append(f"translated {path} -> {target}{f': {why}' if why else ''}")
        if value is not ABSENT:
            self.set(target, value)

    def dropped(self, path: str, reason: str) -> None:
        """Say that ``path`` is not in the spec, and why."""
        self.lines.append(f"dropped {path}: {reason}")

    def move(self, path: str, target: str, default: Any = ABSENT) -> None:
        """Copy a value as it is. Null, or nothing there: ``default``, the engine's own."""
        value = self.take(path)
        if value is None:
            self.dropped(path, "it is empty")
        if value is None or value is ABSENT:
            value = default
        if value is not ABSENT:
            self.set(target, value)

    def finished(self) -> dict[str, Any]:
        """The document, native keys in their place."""
        if self.native:
            self.document["engine_options"] = {NAME: self.native}
        return self.document


_WHOLE = (
    "network.network_kwargs",
    "model.model_kwargs",
    "model.model_paths",
    "model.quantize_kwargs",
)


def plain(value: Any, odd: list[str], path: str = "") -> Any:
    """The same without keys that no path can name, whose places are added to ``odd``.

    Raises NotAConfigError where a list is numbered groups: there may be billions of numbers.
    """
    if isinstance(value, list):
        return [plain(entry, odd, f"{path}[{place}]") for place, entry in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if value and path in LISTS:
        raise NotAConfigError(f"Its {path} must be a list.")
    found = {}
    for key, inner in value.items():
        place = f"{path}.{key}" if path else str(key)
        if is_key(key):
            found[key] = plain(inner, odd, place)
        else:
            odd.append(place)
    return found


def flatten(process: dict[str, Any]) -> dict[str, Any]:
    """Every value of a process by its path; free dictionaries stay whole."""
    whole: dict[str, Any] = {}
    rest = dict(process)
    for path in _WHOLE:
        section, _, key = path.partition(".")
        inner = rest.get(section)
        if isinstance(inner, dict) and key in inner:
            whole[path] = inner[key]
            rest[section] = {name: value for name, value in inner.items() if name != key}
    return {**dict(leaves(rest)), **whole}
