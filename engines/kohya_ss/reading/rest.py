"""What has no field: native options of the engine as they are, and a line for each other key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines import families
from engines.kohya_ss import native, options
from engines.kohya_ss.reading.ledger import Ledger, is_on, number


def read_rest(ledger: Ledger) -> None:
    """Puts the options together and writes them into the document."""
    family = families.families()[ledger.family].kohya
    assert family is not None
    known = options.shipped().data[family.script]
    _family_defaults(ledger, family.config, known)
    for key in list(ledger.native):
        value = ledger.take(key)
        if value is None:
            continue
        if key not in known:
            ledger.dropped(key, f"{family.script} of sd-scripts has no such option")
        elif native.field_of(key, value):
            ledger.dropped(key, f"{native.field_of(key, value)} says it")
        else:
            fitted = fit(value, known[key])
            if problem := options.misfit(fitted, known[key]):
                ledger.dropped(key, f"it {problem}")
            else:
                ledger.keep(key, fitted)
    _write(ledger)


def _family_defaults(ledger: Ledger, config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Where the source is silent, the engine's own default counts, not what we would set."""
    for key in config:
        default = known.get(key, {}).get("default")
        if key in native.CHOOSES_FAMILY or ledger.family == "chroma" or default is None:
            ledger.take(key)
            ledger.translated(key, "family")
        elif key not in ledger.native:
            ledger.options[key] = default


def _write(ledger: Ledger) -> None:
    found: dict[str, Any] = {}
    if ledger.options:
        found["config"] = ledger.options
    blocks = _blocks(ledger)
    if blocks:
        found["dataset"] = {"datasets": blocks}
    if ledger.prompt_options:
        found["prompts"] = ledger.prompt_options
    if found:
        ledger.document["engine_options"] = {"kohya_ss": found}


def _blocks(ledger: Ledger) -> list[dict[str, Any]]:
    """Options by block (one for each resolution, in order) and by dataset within it."""
    datasets = ledger.document.get("datasets", [])
    edges = dict.fromkeys(edge for dataset in datasets for edge in dataset["resolution"])
    found: list[dict[str, Any]] = []
    for edge in edges:
        inside = [n for n, dataset in enumerate(datasets) if edge in dataset["resolution"]]
        subsets = [ledger.subset_options.get(number, {}) for number in inside]
        block = dict(ledger.block_options.get(edge, {}))
        if any(subsets):
            block["subsets"] = subsets
        found.append(block)
    return found if any(found) else []


def fit(value: Any, option: Mapping[str, Any]) -> Any:
    """A value of the GUI, which may be text, in the type of the option."""
    kind = option.get("type")
    if option.get("switch"):
        return is_on(value) or value is True or number(value) == 1
    if option.get("many"):
        return value if isinstance(value, list) else str(value).replace('"', "").split()
    found = number(value)
    if found is not None and kind in ("float", "int_or_float"):
        return found
    if found is not None and kind == "int" and found.is_integer():
        return int(found)
    return str(value) if kind in ("str", "path") else value
