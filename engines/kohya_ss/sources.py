"""Reads the options of an installed sd-scripts from its source text, without running it.

The scripts build their parsers by calling ``add_..._arguments`` functions; the calls are
followed through the syntax tree. Torch is not needed, and nothing of the engine is executed.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from engines.base import OptionList

PATTERNS = ("train_network.py", "*_train_network.py", "library/*.py", "networks/*.py")
_SCHEMA = re.compile(r"^ +(?!ARGPARSE)\w+_SCHEMA = \{\n(.*?)^ +\}", re.DOTALL | re.MULTILINE)
_SCHEMA_KEY = re.compile(r"^ +(?:Required\()?\"(\w+)\"\)?:", re.MULTILINE)
"""The tables of ``library/config_util.py``, by which a dataset config is checked."""
_KINDS = {
    "int": "int",
    "float": "float",
    "str": "str",
    "bool": "bool",
    "Path": "path",
    "pathlib.Path": "path",
}


class _Tree:
    """Functions of every module by name."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.functions: dict[str, list[tuple[str, ast.FunctionDef]]] = {}
        for path, text in sorted(sources.items()):
            module = path.removesuffix(".py").rpartition("/")[2]
            for node in ast.walk(_parse(text)):
                if isinstance(node, ast.FunctionDef) and _makes_options(node.name):
                    self.functions.setdefault(node.name, []).append((module, node))

    def find(self, name: str, module: str) -> ast.FunctionDef | None:
        """The function of that name, preferring the one of ``module``."""
        found = self.functions.get(name, [])
        own = [node for place, node in found if place == module]
        return own[0] if own else found[0][1] if found else None


def _parse(text: str) -> ast.Module:
    """The tree; what the parser thinks of the engine's style is not ours to tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _makes_options(name: str) -> bool:
    return name == "setup_parser" or (name.startswith("add_") and name.endswith("arguments"))


def read_options(sources: Mapping[str, str]) -> OptionList:
    """The option list of every LoRA script. Raises ValueError if the sources hold none.

    ``sources`` maps a path relative to the checkout to its text.
    """
    try:
        tree = _Tree({path: text for path, text in sources.items() if "networks/" not in path})
    except SyntaxError as error:
        raise ValueError(
            f"{error.filename or 'a file'} of sd-scripts cannot be read: {error}"
        ) from error
    scripts = [p.removesuffix(".py") for p in sources if p.endswith("train_network.py")]
    data = {script: dict(_options(tree, script, "setup_parser", set())) for script in scripts}
    if not any(data.values()):
        raise ValueError("no script of sd-scripts with options was found")
    modules = sorted(
        path.removesuffix(".py").replace("/", ".")
        for path, text in sources.items()
        if path.startswith("networks/") and "def create_network(" in text
    )
    tables = _SCHEMA.findall(sources.get("library/config_util.py", ""))
    keys = sorted({key for table in tables for key in _SCHEMA_KEY.findall(table)})
    return OptionList("read from the installed sd-scripts", data, tuple(modules), tuple(keys))


def _options(
    tree: _Tree, module: str, name: str, seen: set[tuple[str, str]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option that a function adds, those of the functions it calls included."""
    function = tree.find(name, module)
    if function is None or (module, name) in seen:
        return
    seen.add((module, name))
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        called, owner = _called(node)
        if called == "add_argument":
            option = _option(node)
            if option:
                yield option
        elif _makes_options(called):
            yield from _options(tree, owner or module, called, seen)


def _called(call: ast.Call) -> tuple[str, str]:
    """(function, module) of a call such as ``train_util.add_x_arguments(parser)``."""
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        return call.func.attr, owner.id if isinstance(owner, ast.Name) else ""
    return (call.func.id, "") if isinstance(call.func, ast.Name) else ("", "")


def _option(call: ast.Call) -> tuple[str, dict[str, Any]] | None:
    flags = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    long = next((flag for flag in flags if flag.startswith("--")), "")
    if not long:
        return None
    words = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    action = _literal(words.get("action"))
    kind = ast.unparse(words["type"]) if "type" in words else "str"
    choices = _literal(words.get("choices"))
    switch = action in ("store_true", "store_false")
    return str(_literal(words.get("dest")) or long[2:].replace("-", "_")), {
        "type": "bool"
        if switch
        else _KINDS.get(kind, "int_or_float" if "int_or_float" in kind else "str"),
        "switch": switch,
        "many": _literal(words.get("nargs")) in ("*", "+"),
        "choices": list(choices) if isinstance(choices, list | tuple) else None,
        "default": _default(action, words.get("default")),
    }


def _default(action: Any, node: ast.expr | None) -> Any:
    """What the parser holds when the option is not given."""
    if node is None and action in ("store_true", "store_false"):
        return action == "store_false"
    return _literal(node)


def _literal(node: ast.expr | None) -> Any:
    """The value of a literal; None for what only a running program would know."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
