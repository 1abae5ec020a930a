"""Documents as YAML for people: keys in their order, letters of every language as they are."""

from __future__ import annotations

from typing import Any

import yaml

from engines import yamltext


def dump(document: Any, width: int = 80) -> str:
    """The text. libyaml writes it ten times as fast, but spells out what lies beyond 16 bits."""
    text = _dump(document, yamltext.DUMPER, width)
    return _dump(document, yaml.SafeDumper, width) if "\\U000" in text else text


def _dump(document: Any, dumper: Any, width: int) -> str:
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width)
    return text
