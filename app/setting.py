"""One row of the table of settings, and what is said of one that makes no sense."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

SECRET = frozenset({"AUTH_TOKEN", "HF_TOKEN", "CONTAINER_API_KEY"})
"""Of these only whether they are set is kept beside their use."""


class SettingsError(ValueError):
    """A setting makes no sense. The sentence names it and what would be right."""


class Setting(NamedTuple):
    """One row of the table of settings."""

    name: str
    default: str
    meaning: str


def given(rows: Iterable[Setting], env: Mapping[str, str]) -> dict[str, str]:
    """What the environment says, by name; empty texts for secrets."""
    said = {row.name: env.get(row.name) for row in rows}
    said["AUTH_TOKEN"] = said.get("AUTH_TOKEN") or env.get("AUTH_TOKEN_FILE")
    return {name: "" if name in SECRET else text for name, text in said.items() if text}
