"""Writes TOML that sd-scripts' own reader takes as it was meant.

The ``toml`` package (0.10.2) loses a backslash where it escapes a character that Python's ``repr``
writes as ``\\x..``: a no-break space in a trigger word or a path came out as ``xa0``. A text in TOML is
written as in JSON, so that is how it is written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import toml


def dumps(document: Mapping[str, Any]) -> str:
    """The document as TOML. Texts keep every character; lists and tables are toml's own."""
    encoder: toml.TomlEncoder[dict[str, Any]] = toml.TomlEncoder()
    encoder.dump_funcs[str] = _text
    return toml.dumps(dict(document), encoder=encoder)


def _text(value: str) -> str:
    # JSON leaves DEL as it is, which TOML forbids.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
