"""The GUI's ``additional_parameters``: a shell-quoted tail of flags that wins over all before it."""

from __future__ import annotations

import shlex
from typing import Any

from engines.importing import NotAConfigError
from engines.kohya_ss.native import FIELD_OF
from engines.kohya_ss.reading.ledger import Ledger

_LISTS = ("optimizer_args", "network_args", "lr_scheduler_args")


def read_tail(ledger: Ledger, data: dict[str, Any]) -> None:
    """Lay the flags over the native keys. Raises NotAConfigError for unpaired quotes."""
    text = str(data.get("additional_parameters") or "").strip()
    if not text:
        return
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NotAConfigError(
            f"additional_parameters is no valid command line: {error}."
        ) from error
    flags, lost = _flags(words)
    for key, values in flags.items():
        if key in ledger.native:
            for name in ledger.sources_of(key):
                ledger.dropped(name, "additional_parameters wins over it")
        ledger.native[key] = values if key in _LISTS else (values[0] if values else True)
        ledger.origin[key] = ()
    if lost:
        ledger.dropped("additional_parameters", f"no flag stands before {' '.join(lost)}")
    else:
        places = (FIELD_OF.get(key, f"engine_options.kohya_ss.config.{key}") for key in flags)
        ledger.translated("additional_parameters", ", ".join(places))


def _flags(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    lost: list[str] = []
    current: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            current = flags.setdefault(key.replace("-", "_"), [])
            if equals:
                current.append(value)
        elif current is None:
            lost.append(word)
        else:
            current.append(word)
    return flags, lost
