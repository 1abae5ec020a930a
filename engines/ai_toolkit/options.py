"""What an ai-toolkit accepts: the shipped list, the reading of an installed source, the check.

The engine reads every section as ``**kwargs`` and ignores what it does not know, so a typo is
silent there. The list holds the literal names its classes ask for, from the syntax tree.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from engines import yamltext
from engines.ai_toolkit.draft import CONFIG
from engines.base import Complaint, OptionList

CONFIG_CLASSES = "toolkit/config_modules.py"
TRAINERS = (
    "jobs/process/BaseProcess.py",
    "jobs/process/BaseTrainProcess.py",
    "jobs/process/BaseSDTrainProcess.py",
    "extensions_built_in/sd_trainer/SDTrainer.py",
    "extensions_built_in/sd_trainer/DiffusionTrainer.py",
)
MODELS = (
    "extensions_built_in/*/*.py",
    "extensions_built_in/*_models/*/*.py",
    "toolkit/models/*.py",
    "toolkit/models/*/*.py",
)
PROCESS = "<process>"
_UNLISTED_ARCHS = frozenset({"sd1", "sd15", "flex1"})
"""Names that work although no class bears them: what is unknown falls through to SD 1.x."""
_TOP = ("job", "config", "meta")
_PYTHON: Mapping[str, type] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict,
}  # fmt: skip
_SPLIT = frozenset({"datasets[].resolution"})
"""One value by its class; a list of them is split into datasets before the class is made."""
_ALIASES = {"List": "list", "list": "list", "Dict": "dict", "dict": "dict", "Tuple": "list"}
_ARCH = re.compile(r"""^\s+(?:arch = |(?:el)?if self\.arch == )["']([^"']+)["']""", re.MULTILINE)
"""The name that a model's class bears, and those that ModelConfig asks for."""


@cache
def shipped() -> OptionList:
    """The list of the pinned commit."""
    data = json.loads((Path(__file__).parent / "options.json").read_text("utf-8"))
    return OptionList(source=f"shipped with {data['commit'][:8]}", data=data)


def read_options(sources: Mapping[str, str]) -> OptionList:
    """The list of an installed checkout, from the text of its files by relative path.

    Raises ValueError when the class definitions are not among them or cannot be parsed.
    """
    if CONFIG_CLASSES not in sources:
        raise ValueError(f"{CONFIG_CLASSES} is missing: this is no ai-toolkit checkout.")
    classes = {
        name: dict(sorted(keys.items()))
        for name, keys in _class_keys(_tree(sources, CONFIG_CLASSES)).items()
        if name in shipped().data["sections"].values()
    }
    process = {"type", "device"}
    archs: set[str] = set()
    for path in sources:
        if path in TRAINERS:
            process |= set(_process_keys(_tree(sources, path)))
        archs |= set(_ARCH.findall(sources[path]))
    classes[PROCESS] = dict.fromkeys(sorted(process), "")
    known = shipped().data
    sections = {place: name for place, name in known["sections"].items() if name in classes}
    data = {
        "classes": classes,
        "sections": sections,
        "free_form": known["free_form"],
        "archs": sorted(archs | _UNLISTED_ARCHS),
    }
    return OptionList(source="the installed ai-toolkit", data=data)


def _tree(sources: Mapping[str, str], path: str) -> ast.Module:
    try:
        return ast.parse(sources[path])
    except SyntaxError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _first_text(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


def _class_keys(tree: ast.Module) -> dict[str, dict[str, str]]:
    """The keys of each config class with their types, as ``_type_of`` writes them."""
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            keys = {
                key: ""
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and _is_get(call, "kwargs")
                if (key := _first_text(call)) is not None
            }
            keys |= dict(_annotated(node))
            if keys:
                found[node.name] = keys
    return found


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Types of ``self.rank: int = kwargs.get("rank", 4)``; a key read twice takes anything."""
    seen: dict[str, str] = {}
    for inner in ast.walk(node):
        if not isinstance(inner, ast.AnnAssign) or not isinstance(inner.value, ast.Call):
            continue
        key = _first_text(inner.value) if _is_get(inner.value, "kwargs") else None
        if key is not None:
            kind = _type_of(inner.annotation)
            seen[key] = kind if seen.get(key, kind) == kind else ""
    yield from seen.items()


def _type_of(annotation: ast.expr) -> str:
    """``int``, ``float|list`` and the like; empty where a type is not plain, so all fits."""
    if isinstance(annotation, ast.Name):
        return annotation.id if annotation.id in _PYTHON else _ALIASES.get(annotation.id, "")
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _joined([annotation.left, annotation.right])
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.value, ast.Name):
        return "None" if isinstance(annotation, ast.Constant) and annotation.value is None else ""
    name, inside = annotation.value.id, annotation.slice
    if name == "Union" and isinstance(inside, ast.Tuple):
        return _joined(inside.elts)
    return _type_of(inside) if name == "Optional" else _ALIASES.get(name, "")


def _joined(parts: list[ast.expr]) -> str:
    kinds = [_type_of(part) for part in parts]
    return "|".join(dict.fromkeys("|".join(kinds).split("|"))) if all(kinds) else ""


def _fits(value: Any, kinds: str) -> bool:
    """Whether a value is of one of the types; None is unset.

    The source says ``int`` where it takes any number, so the two are one here.
    """
    if not kinds or value is None:
        return True
    allowed = {_PYTHON[kind] for kind in kinds.split("|") if kind in _PYTHON}
    if isinstance(value, bool):
        return bool in allowed
    if isinstance(value, int | float):
        return bool(allowed & {int, float})
    return type(value) in allowed


def _is_get(call: ast.Call, owner: str) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr != "get":
        return False
    value = function.value
    name = value.id if isinstance(value, ast.Name) else getattr(value, "attr", "")
    return name == owner


def _process_keys(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        own = _is_get(call, "config") and isinstance(call.func.value, ast.Attribute)
        key = _first_text(call) if call.func.attr == "get_conf" or own else None
        if key is not None:
            yield key


def unknown_keys(text: str, options: OptionList) -> tuple[Complaint, ...]:
    """One for each key of a config that the list does not hold, or whose value does not fit."""
    try:
        document = yamltext.read(text)
    except yaml.YAMLError as error:
        return (Complaint(CONFIG, f"The file is no YAML: {error}"),)
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        return (Complaint(CONFIG, "The file has no config section."),)
    problems = [
        Complaint(f"{CONFIG}:{key}", f"There is no key {key}.")
        for key in document
        if key not in _TOP
    ]
    for process in document["config"].get("process") or []:
        problems += unknown_in_process(process, options)
    return tuple(problems)


def unknown_in_process(process: Mapping[str, Any], options: OptionList) -> list[Complaint]:
    """The same for one process, or for a piece of one."""
    problems: list[Complaint] = []
    for key, value in process.items():
        if key == "datasets":
            for place, entry in enumerate(value if isinstance(value, list) else [value]):
                problems += _unknown(entry, "datasets[]", f"datasets[{place}]", options)
        elif key in options.data["sections"]:
            problems += _unknown(value, key, key, options)
        elif key not in options.data["classes"][PROCESS]:
            problems.append(_stranger(key, key, options.data["classes"][PROCESS]))
    model = process.get("model")
    arch = str(model.get("arch", "")).split(":")[0] if isinstance(model, Mapping) else ""
    archs = options.data.get("archs")
    if arch and archs and arch not in archs:
        problems.append(
            Complaint(
                f"{CONFIG}:model.arch",
                f"ai-toolkit ({options.source}) knows no model.arch {arch}; it would train SD 1.x.",
            )
        )
    return problems


def _unknown(value: Any, section: str, where: str, options: OptionList) -> Iterator[Complaint]:
    if not isinstance(value, Mapping):
        if value is not None:
            yield Complaint(f"{CONFIG}:{where}", f"{where} must be a group of keys.")
        return
    sections = options.data["sections"]
    known = options.data["classes"][sections[section]]
    for key, inner in value.items():
        path = f"{section}.{key}"
        if key not in known:
            yield _stranger(str(key), f"{where}.{key}", known)
        elif path in sections:
            yield from _unknown(inner, path, f"{where}.{key}", options)
        elif f"{path}[]" in sections and isinstance(inner, list):
            for place, entry in enumerate(inner):
                yield from _unknown(entry, f"{path}[]", f"{where}.{key}[{place}]", options)
        elif not _fits(inner, known[key]) and path not in _SPLIT:
            kinds = known[key].replace("|", " or ")
            yield Complaint(
                f"{CONFIG}:{where}.{key}",
                f"{where}.{key} must be of type {kinds}; {inner!r} is not.",
            )


def _stranger(key: str, where: str, known: Mapping[str, str]) -> Complaint:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    hint = f"; did you mean {near[0]}?" if near else "."
    return Complaint(f"{CONFIG}:{where}", f"ai-toolkit has no key {where}{hint}")
