"""What an import has to tell: what came in, what was left out and why, what was changed on the way."""

from __future__ import annotations

from collections import Counter
from typing import Any

_MOST_NAMES = 12


class Findings:
    """Collected along the way; ``as_result`` is what the task returns and a page shows."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Added, captions, replaced, already: how many."""
        self._left_out: dict[str, list[str]] = {}
        self._notes: dict[str, list[str]] = {}

    def leave_out(self, name: str, reason: str) -> None:
        """A file that does not come in."""
        self._left_out.setdefault(reason, []).append(name)

    def note(self, name: str, what: str) -> None:
        """A file that comes in changed, such as "became jpg (quality 95)"."""
        self._notes.setdefault(what, []).append(name)

    @property
    def left_out(self) -> int:
        """How many files were left out."""
        return sum(map(len, self._left_out.values()))

    def as_result(self) -> dict[str, Any]:
        """Counts, and for each reason how many, with the first names."""
        return {
            **{key: self.counts[key] for key in ("added", "captions", "replaced", "already")},
            "left_out": _told(self._left_out, "reason"),
            "notes": _told(self._notes, "what"),
        }

    def lines(self) -> list[str]:
        """Everything, a line for each file, for the log."""
        return [
            f"{name}: {what}"
            for told in (self._left_out, self._notes)
            for what, names in told.items()
            for name in names
        ]


def _told(found: dict[str, list[str]], key: str) -> list[dict[str, Any]]:
    return [
        {key: what, "count": len(names), "names": names[:_MOST_NAMES]}
        for what, names in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
