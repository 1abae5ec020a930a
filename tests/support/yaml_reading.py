"""Reads YAML that the program wrote: by libyaml, which is ten times as fast, where it is there."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The document, as any plain reader of YAML 1.1 has it."""
    return yaml.load(text, _LOADER)
