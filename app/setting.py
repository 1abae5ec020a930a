"""One row of the table of settings, and what is said of one that makes no sense."""

from __future__ import annotations

from typing import NamedTuple


class SettingsError(ValueError):
    """A setting makes no sense. The sentence names it and what would be right."""


class Setting(NamedTuple):
    """One row of the table of settings."""

    name: str
    default: str
    meaning: str
