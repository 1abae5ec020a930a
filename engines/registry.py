"""Which engines there are: one line each.

The spec asks for the names and the adapters import the spec, so only names stand here;
``engines.adapter.ENGINES`` holds the adapters themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

EngineName = str
"""A key of ``WHERE``."""

WHERE: Mapping[EngineName, str] = {
    "ai-toolkit": "engines.ai_toolkit:AiToolkit",
    "kohya_ss": "engines.kohya_ss:KohyaSs",
}
"""Module and class of each adapter; the class is called without arguments."""

ENGINE_NAMES: tuple[EngineName, ...] = tuple(WHERE)

if TYPE_CHECKING:
    KnownEngine = str
else:
    KnownEngine = Literal[ENGINE_NAMES]
    """For a field that is refused where it names no engine; schemas list the names."""


def setting_prefix(name: EngineName) -> str:
    """What its settings begin with: ai-toolkit's folder is named by AI_TOOLKIT_DIR."""
    return name.upper().replace("-", "_")
