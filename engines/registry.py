"""Which engines there are: one line each. An adapter is imported when it is first asked for.

The spec asks for the names and the adapters import the spec, so only names stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.adapter import Engine

EngineName = str
"""A key of ``ENGINES``."""

_WHERE: Mapping[EngineName, str] = {
    "ai-toolkit": "engines.ai_toolkit:AiToolkit",
    "kohya_ss": "engines.kohya_ss:KohyaSs",
}
"""Module and class of each adapter; the class is called without arguments."""

ENGINE_NAMES: tuple[EngineName, ...] = tuple(_WHERE)


class _Engines(Mapping[EngineName, "Engine"]):
    """The adapters by name. Raises KeyError for a name that is no engine."""

    def __init__(self) -> None:
        self._made: dict[EngineName, Engine] = {}

    def __getitem__(self, name: EngineName) -> Engine:
        if name not in self._made:
            module, _, made_by = _WHERE[name].partition(":")
            self._made[name] = getattr(import_module(module), made_by)()
        return self._made[name]

    def __iter__(self) -> Iterator[EngineName]:
        return iter(_WHERE)

    def __len__(self) -> int:
        return len(_WHERE)

    def __contains__(self, name: object) -> bool:
        return name in _WHERE  # without importing anything


ENGINES: Mapping[EngineName, Engine] = _Engines()


def setting_prefix(name: EngineName) -> str:
    """What its settings begin with: ai-toolkit's folder is named by AI_TOOLKIT_DIR."""
    return name.upper().replace("-", "_")
