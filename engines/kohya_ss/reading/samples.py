"""Reads sample prompts: what all of them share goes into fields, the rest stays with its prompt.

A file of prompts is text, a line each with flags behind it, or TOML or JSON with whole words for the
same (``load_prompts`` and ``line_to_prompt_dict`` of sd-scripts).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from engines.kohya_ss.native import PROMPT_FLAGS
from engines.kohya_ss.reading.ledger import Ledger

_FIELDS = {"w": "width", "h": "height", "d": "seed", "s": "steps", "l": "guidance"}
_FLAG = re.compile(r"^(?P<flag>[a-z]{1,4}) (?P<value>.*)$", re.IGNORECASE | re.DOTALL)
_ENGINE = {"width": 512, "height": 512, "steps": 30, "guidance": 7.5}
_WORDS = {
    "width": "w", "height": "h", "seed": "d", "sample_steps": "s", "scale": "l",
    "guidance_scale": "g", "negative_prompt": "n", "sample_sampler": "ss",
    "controlnet_image": "cn", "cfg_trunc_ratio": "ctr", "renorm_cfg": "rcfg", "flow_shift": "fs",
}  # fmt: skip
"""What a file of TOML or JSON calls the flags."""
_MOST_STEPS = 1000

Drawn = tuple[str, dict[str, Any]]
"""A prompt, and its flags by their letters."""


def read_samples(ledger: Ledger, companions: Mapping[str, str]) -> None:
    """``sample_prompts`` is the text itself (GUI) or the name of a file (TOML)."""
    given = ledger.take("sample_prompts")
    ledger.put("sampling.prompts", [])
    if not given:
        return
    text = str(given)
    name = re.split(r"[/\\]", text)[-1]
    if name not in companions and re.fullmatch(r"[^\n]*\.(txt|toml|json)", text.strip()):
        ledger.dropped("sample_prompts", "the file was not given; write the prompts here")
        return
    lost: dict[str, None] = {}
    read = [*_read(companions.get(name, text), name if name in companions else "", lost)]
    fields = _fields(ledger.family)
    common = _common([flags for _, flags in read], fields)
    for field, default in _ENGINE.items():
        ledger.put(f"sampling.{field}", default)
    if ledger.family == "flux":
        ledger.put("sampling.guidance", ledger.document["loss"]["guidance"])
    for flag, value in common.items():
        ledger.put(f"sampling.{fields[flag]}", value)
    prompts = [prompt for prompt, _ in read]
    ledger.put("sampling.prompts", prompts)
    rest = [{f: v for f, v in flags.items() if f not in common} for _, flags in read]
    if any(rest):
        ledger.prompt_options = rest
    if prompts != [text.strip()]:
        why = f"sd-scripts does not read {', '.join(lost)}" if lost else ""
        ledger.translated("sample_prompts", "sampling.prompts", why)


def _read(text: str, file: str, lost: dict[str, None]) -> Iterator[Drawn]:
    """Every prompt of the text, or of the file of that name; what nobody reads is put into ``lost``."""
    ending = file.rpartition(".")[2].lower()
    if ending == "json":
        entries = json.loads(text)
    elif ending == "toml":
        entries = _subsets(tomllib.loads(text))
    else:
        entries = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
    for entry in entries if isinstance(entries, list) else [None]:
        if isinstance(entry, str):
            yield split(entry.strip(), lost)
        elif isinstance(entry, dict):
            yield _of_words(entry, lost)
        else:
            raise ValueError(f"{file} is no list of prompts")


def _subsets(document: Mapping[str, Any]) -> Any:
    """``[[prompt.subset]]`` one by one, each with what stands in ``[prompt]`` for all."""
    shared = document.get("prompt")
    subsets = shared.get("subset") if isinstance(shared, dict) else None
    if not isinstance(shared, dict) or not isinstance(subsets, list):
        return None
    general = {key: value for key, value in shared.items() if key != "subset"}
    return [{**general, **entry} if isinstance(entry, dict) else None for entry in subsets]


def _of_words(entry: Mapping[str, Any], lost: dict[str, None]) -> Drawn:
    flags: dict[str, Any] = {}
    for word, value in entry.items():
        typed = _typed(_WORDS.get(word, ""), str(value))
        if typed is not None:
            flags[_WORDS[word]] = typed
        elif word != "prompt":
            lost[word] = None
    return str(entry.get("prompt", "")).strip(), flags


def split(line: str, lost: dict[str, None]) -> Drawn:
    """A line as sd-scripts reads it; it passes over flags that it cannot read."""
    prompt, *pieces = re.split(r"\s+--", line)
    flags: dict[str, Any] = {}
    for piece in pieces:
        found = _FLAG.match(piece)
        typed = _typed(found["flag"].lower(), found["value"].strip()) if found else None
        if found is None or typed is None:
            lost[f"--{piece.partition(' ')[0]}"] = None
        else:
            flags[found["flag"].lower()] = typed
    return prompt.strip(), flags


def _typed(flag: str, value: str) -> Any:
    """The value as the flag takes it: the number that it begins with, or the text; else None."""
    kind = PROMPT_FLAGS.get(flag)
    if kind is None or kind is str:
        return value if kind and value else None
    found = re.match(r"\d+" if kind is int else r"\d+(?:\.\d*)?|\.\d+", value)
    if found is None:
        return None
    return max(1, min(_MOST_STEPS, int(found[0]))) if flag == "s" else kind(found[0])


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
