"""Reads sample prompts: what all lines share goes into fields, the rest stays with its prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engines.kohya_ss.reading.ledger import Ledger

_FIELDS = {"w": "width", "h": "height", "d": "seed", "s": "steps", "l": "guidance"}
_FLAG = re.compile(r"^(?P<flag>[a-z]{1,4}) (?P<value>.*)$", re.IGNORECASE | re.DOTALL)
_ENGINE = {"width": 512, "height": 512, "steps": 30, "guidance": 7.5}


def read_samples(ledger: Ledger, companions: Mapping[str, str]) -> None:
    """``sample_prompts`` is the text itself (GUI) or the name of a file (TOML)."""
    given = ledger.take("sample_prompts")
    ledger.put("sampling.prompts", [])
    if not given:
        return
    text = str(given)
    name = re.split(r"[/\\]", text)[-1]
    if name in companions:
        text = companions[name]
    elif re.fullmatch(r"[^\n]*\.(txt|toml|json)", text.strip()):
        ledger.dropped("sample_prompts", "the file was not given; write the prompts here")
        return
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    read = [split(line) for line in lines]
    fields = _fields(ledger.family)
    common = _common([flags for _, flags in read], fields)
    for field, default in _ENGINE.items():
        ledger.put(f"sampling.{field}", default)
    if ledger.family == "flux":
        ledger.put("sampling.guidance", ledger.document["loss"]["guidance"])
    for flag, value in common.items():
        ledger.put(f"sampling.{fields[flag]}", value)
    ledger.put("sampling.prompts", [prompt for prompt, _ in read])
    rest = [{f: v for f, v in flags.items() if f not in common} for _, flags in read]
    if any(rest):
        ledger.prompt_options = rest
    if lines != [prompt for prompt, _ in read] or name in companions or len(lines) > 1:
        ledger.translated("sample_prompts", "sampling.prompts")


def split(line: str) -> tuple[str, dict[str, Any]]:
    """A line as sd-scripts reads it: the prompt, and the flags behind `` --`` by their letters."""
    prompt, *pieces = re.split(r"\s+--", line)
    flags: dict[str, Any] = {}
    for piece in pieces:
        found = _FLAG.match(piece)
        if found is None:
            continue  # sd-scripts passes over what it cannot read
        flags[found["flag"].lower()] = _typed(found["value"].strip())
    return prompt.strip(), flags


def _typed(value: str) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _fields(family: str) -> dict[str, str]:
    """Flags that are fields here. FLUX has a guidance of its own beside the true one."""
    if family == "flux":
        return {"w": "width", "h": "height", "d": "seed", "s": "steps", "g": "guidance"}
    return _FIELDS


def _common(flags: list[dict[str, Any]], fields: Mapping[str, str]) -> dict[str, Any]:
    """Flags that every line has with the same value."""
    first = flags[0] if flags else {}
    return {
        flag: first[flag]
        for flag in fields
        if flag in first and all(other.get(flag) == first[flag] for other in flags)
    }
