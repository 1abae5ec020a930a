"""What reading a native config gives: a canonical document, and a line for each lost key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class NotAConfigError(ValueError):
    """The text is no LoRA training config of this engine. The sentence says why."""


@dataclass(frozen=True)
class Imported:
    """A canonical document (JobSpec's form; base_model may be None, datasets empty).

    ``lines`` holds exactly one line for each source key whose value is not in the document as
    it was: ``dropped KEY: reason`` or ``translated KEY -> FIELD``.
    """

    document: dict[str, Any]
    lines: tuple[str, ...]
